; What the index takes from Go.
(function_declaration) @def.function
(method_declaration) @def.method
(type_spec type: (struct_type)) @def.struct
(type_spec type: (interface_type)) @def.interface
(type_spec type: [(type_identifier) (qualified_type) (pointer_type) (slice_type) (array_type)
  (map_type) (channel_type) (function_type) (generic_type)]) @def.type
(type_alias) @def.type
(source_file (const_declaration (const_spec) @def.constant))
(source_file (var_declaration (var_spec) @def.variable))
(source_file (var_declaration (var_spec_list (var_spec) @def.variable)))
(field_declaration name: (field_identifier) @name) @def.variable
(method_elem) @def.method
(type_declaration . (type_spec) .) @decorated

(call_expression function: [(identifier) (selector_expression)] @call)
(composite_literal type: [(type_identifier) (qualified_type)] @type)
(parameter_declaration type: [(type_identifier) (qualified_type)] @type)
(parameter_declaration type: (pointer_type [(type_identifier) (qualified_type)] @type))
(field_declaration name: (_) type: [(type_identifier) (qualified_type)] @type)
(field_declaration name: (_) type: (pointer_type [(type_identifier) (qualified_type)] @type))
(field_declaration !name type: [(type_identifier) (qualified_type)] @inherit)
(function_declaration result: [(type_identifier) (qualified_type)] @type)
(method_declaration result: [(type_identifier) (qualified_type)] @type)

(import_spec) @import
(comment) @comment
[(interpreted_string_literal) (raw_string_literal)] @string
