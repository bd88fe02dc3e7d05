; TypeScript: what all dialects share, and types.
; inherits: script.scm
(abstract_class_declaration) @def.class
(interface_declaration) @def.interface
(enum_declaration) @def.enum
(type_alias_declaration) @def.type
(internal_module) @def.module
(module) @def.module
(function_signature) @def.function
(abstract_method_signature) @def.method
(method_signature) @def.method
(public_field_definition name: (_)) @def.variable
(interface_body (property_signature name: (_)) @def.variable)
(enum_body (property_identifier) @name @def.constant)
(enum_assignment name: (_) @name) @def.constant
(ambient_declaration (lexical_declaration (variable_declarator name: (identifier)) @def.variable))
(public_field_definition value: [(arrow_function) (function_expression)]) @def.method

(extends_clause value: [(identifier) (member_expression)] @inherit)
(implements_clause [(type_identifier) (nested_type_identifier)] @inherit)
(implements_clause (generic_type name: (_) @inherit))
(extends_type_clause [(type_identifier) (nested_type_identifier)] @inherit)
(extends_type_clause (generic_type name: (_) @inherit))
(type_annotation [(type_identifier) (nested_type_identifier)] @type)
(type_annotation (generic_type name: (_) @type))
(type_arguments (type_identifier) @type)
(union_type (type_identifier) @type)
(array_type (type_identifier) @type)
