; What the index takes from Python. Capture names are explained in syntax.py.
(class_definition) @def.class
(function_definition) @def.function
(decorated_definition) @decorated

(module (expression_statement (assignment left: (identifier)) @def.variable))
(module (expression_statement (assignment left: (pattern_list (identifier) @def.name))))
(class_definition
  body: (block (expression_statement (assignment left: (identifier)) @def.variable)))
(type_alias_statement left: (type (identifier) @def.alias))

(module . (comment)* . (expression_statement . (string) @doc .))
(class_definition body: (block . (comment)* . (expression_statement . (string) @doc .)))
(function_definition body: (block . (comment)* . (expression_statement . (string) @doc .)))

(call function: [(identifier) (attribute)] @call)
(decorator [(identifier) (attribute)] @read)
(class_definition superclasses: (argument_list [(identifier) (attribute)] @inherit))
(class_definition superclasses: (argument_list (subscript value: (_) @inherit)))
(type [(identifier) (attribute)] @type)
(type (generic_type (identifier) @type))
(type (binary_operator [(identifier) (attribute)] @type))
(type (subscript value: [(identifier) (attribute)] @type))

[(import_statement) (import_from_statement)] @import
(comment) @comment
(string) @string
