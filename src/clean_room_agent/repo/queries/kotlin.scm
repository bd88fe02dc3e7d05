; What the index takes from Kotlin. Members of a companion object are members of its class.
(class_declaration) @def.class
(class_declaration "interface") @def.interface
(class_declaration (enum_class_body)) @def.enum
(object_declaration) @def.class
(companion_object name: (identifier)) @def.class
(enum_entry (identifier) @name) @def.constant
(function_declaration) @def.function
(secondary_constructor "constructor" @name) @def.method
(type_alias type: (identifier) @name) @def.type
(source_file (property_declaration (variable_declaration (identifier) @name)) @def.variable)
(class_body (property_declaration (variable_declaration (identifier) @name)) @def.variable)

(call_expression . [(identifier) (navigation_expression)] @call)
(annotation (user_type (identifier) @read .))
(annotation (constructor_invocation (user_type (identifier) @read .)))
(delegation_specifier (user_type (identifier) @inherit .))
(delegation_specifier (constructor_invocation (user_type (identifier) @inherit .)))
(parameter (user_type (identifier) @type .))
(class_parameter (user_type (identifier) @type .))
(function_declaration (user_type (identifier) @type .))
(nullable_type (user_type (identifier) @type .))
(variable_declaration (user_type (identifier) @type .))
(type_projection (user_type (identifier) @type .))

(import) @import
[(line_comment) (block_comment)] @comment
[(string_literal) (multiline_string_literal) (character_literal)] @string
