; What JavaScript and TypeScript share.
(class_declaration) @def.class
(class name: (_)) @def.class
(function_declaration) @def.function
(generator_function_declaration) @def.function
(method_definition) @def.method
(variable_declarator name: (identifier) value: [(arrow_function) (function_expression)]) @def.function
(variable_declarator name: (identifier) value: (class)) @def.class
(program (lexical_declaration (variable_declarator name: (identifier)) @def.variable))
(program (variable_declaration (variable_declarator name: (identifier)) @def.variable))
(export_statement
  (lexical_declaration (variable_declarator name: (identifier)) @def.variable))
(assignment_expression
  left: (member_expression) right: [(arrow_function) (function_expression)]) @def.assigned
(pair key: (property_identifier) value: [(arrow_function) (function_expression)]) @def.function
(pair key: (string (string_fragment) @name) value: [(arrow_function) (function_expression)]) @def.function
(export_statement "default" @name value: [(arrow_function) (function_expression !name)]) @def.function
(export_statement "default" @name value: (class !name)) @def.class
(export_statement) @decorated

(call_expression function: [(identifier) (member_expression) (super)] @call)
(new_expression constructor: [(identifier) (member_expression)] @call)
(decorator [(identifier) (member_expression)] @read)

(import_statement) @import
(export_statement source: (string)) @import
(call_expression
  function: [(identifier) (import)]
  arguments: (arguments . (string) .)) @import.dynamic
(comment) @comment
[(string) (template_string) (regex)] @string
