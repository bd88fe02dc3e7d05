; What the index takes from Scala.
(class_definition) @def.class
(object_definition) @def.class
(package_object) @def.class
(trait_definition) @def.trait
(enum_definition) @def.enum
(simple_enum_case) @def.constant
(full_enum_case) @def.constant
(function_definition) @def.function
(function_declaration) @def.function
(type_definition) @def.type
(given_definition name: (_)) @def.variable
(compilation_unit [(val_definition) (var_definition)] @def.variable)
(template_body [(val_definition) (var_definition) (val_declaration)] @def.variable)

(call_expression function: [(identifier) (field_expression)] @call)
(call_expression function: (generic_function function: [(identifier) (field_expression)] @call))
(instance_expression . [(type_identifier) (stable_type_identifier)] @call)
(instance_expression . (generic_type type: (_) @call))
(annotation name: (type_identifier) @read)
(extends_clause [(type_identifier) (stable_type_identifier)] @inherit)
(extends_clause (generic_type type: (_) @inherit))
(parameter type: (type_identifier) @type)
(parameter type: (generic_type type: (type_identifier) @type))
(class_parameter type: (type_identifier) @type)
(class_parameter type: (generic_type type: (type_identifier) @type))
(function_definition return_type: (type_identifier) @type)
(function_definition return_type: (generic_type type: (type_identifier) @type))
(function_declaration return_type: (type_identifier) @type)
(val_definition type: (type_identifier) @type)
(type_arguments (type_identifier) @type)

(import_declaration) @import
[(comment) (block_comment)] @comment
[(string) (interpolated_string) (character_literal)] @string
