; What the index takes from Rust.
(function_item) @def.function
(function_signature_item) @def.function
(struct_item) @def.struct
(union_item) @def.struct
(enum_item) @def.enum
(enum_variant) @def.constant
(struct_item body: (field_declaration_list (field_declaration) @def.variable))
(trait_item) @def.trait
(associated_type) @def.type
(type_item) @def.type
(mod_item body: (_)) @def.module
(const_item) @def.constant
(static_item) @def.constant
(macro_definition) @def.macro
(impl_item) @scope

(call_expression function: [(identifier) (scoped_identifier) (field_expression)] @call)
(call_expression function: (generic_function function: [(identifier) (scoped_identifier)] @call))
(macro_invocation macro: [(identifier) (scoped_identifier)] @call)
(struct_expression name: [(type_identifier) (scoped_type_identifier)] @type)
(impl_item trait: [(type_identifier) (scoped_type_identifier)] @inherit)
(impl_item trait: (generic_type type: (_) @inherit))
(trait_bounds [(type_identifier) (scoped_type_identifier)] @type)
(parameter type: [(type_identifier) (scoped_type_identifier)] @type)
(parameter type: (reference_type type: [(type_identifier) (scoped_type_identifier)] @type))
(field_declaration type: [(type_identifier) (scoped_type_identifier)] @type)
(function_item return_type: [(type_identifier) (scoped_type_identifier)] @type)

(use_declaration) @import
(mod_item !body) @import
[(line_comment) (block_comment)] @comment
[(string_literal) (raw_string_literal)] @string
(attribute_item) @attribute
