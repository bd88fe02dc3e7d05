; What the index takes from C#.
(namespace_declaration) @def.module
(file_scoped_namespace_declaration) @def.rest
(class_declaration) @def.class
(record_declaration) @def.class
(interface_declaration) @def.interface
(struct_declaration) @def.struct
(enum_declaration) @def.enum
(enum_member_declaration) @def.constant
(delegate_declaration) @def.type
(method_declaration) @def.method
(constructor_declaration) @def.method
(destructor_declaration) @def.method
(operator_declaration ["+" "-" "*" "/" "%" "==" "!=" "<" ">" "<=" ">=" "!" "&" "|" "^" "++" "--" "~"] @name) @def.method
(indexer_declaration "this" @name) @def.method
(conversion_operator_declaration type: (_) @name) @def.method
(event_declaration) @def.variable
(local_function_statement) @def.function
(property_declaration) @def.variable
(field_declaration (variable_declaration (variable_declarator name: (_) @name))) @def.variable
(event_field_declaration (variable_declaration (variable_declarator name: (_) @name))) @def.variable

(invocation_expression function: [(identifier) (member_access_expression)
  (conditional_access_expression)] @call)
(invocation_expression function: (generic_name . (identifier) @call))
(invocation_expression function: (member_access_expression name: (generic_name . (identifier) @call)))
(object_creation_expression type: [(identifier) (qualified_name)] @call)
(object_creation_expression type: (generic_name . (identifier) @call))
(attribute name: (_) @read)
(base_list [(identifier) (qualified_name)] @inherit)
(base_list (generic_name . (identifier) @inherit))
(base_list (primary_constructor_base_type type: (identifier) @inherit))
(parameter type: (identifier) @type)
(parameter type: (nullable_type (identifier) @type))
(parameter type: (generic_name . (identifier) @type))
(method_declaration returns: (identifier) @type)
(method_declaration returns: (generic_name . (identifier) @type))
(property_declaration type: (identifier) @type)
(property_declaration type: (generic_name . (identifier) @type))
(variable_declaration type: (identifier) @type)
(variable_declaration type: (generic_name . (identifier) @type))
(type_argument_list (identifier) @type)

(using_directive) @import
(comment) @comment
[(string_literal) (verbatim_string_literal) (raw_string_literal) (character_literal)
  (interpolated_string_expression)] @string
