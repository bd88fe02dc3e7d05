; What the index takes from Swift. An extension adds its methods to the type that it names.
(class_declaration declaration_kind: ["class" "actor"] name: (type_identifier)) @def.class
(class_declaration declaration_kind: "struct" name: (type_identifier)) @def.struct
(class_declaration declaration_kind: "enum" name: (type_identifier)) @def.enum
(class_declaration declaration_kind: "extension") @scope
(protocol_declaration) @def.interface
(function_declaration) @def.function
(protocol_function_declaration) @def.method
(init_declaration "init" @name) @def.method
(deinit_declaration "deinit" @name) @def.method
(subscript_declaration "subscript" @name) @def.method
(typealias_declaration) @def.type
(associatedtype_declaration) @def.type
(enum_entry name: (simple_identifier) @name) @def.constant
(source_file
  (property_declaration name: (pattern bound_identifier: (_) @name)) @def.variable)
(class_body
  (property_declaration name: (pattern bound_identifier: (_) @name)) @def.variable)
(enum_class_body
  (property_declaration name: (pattern bound_identifier: (_) @name)) @def.variable)
(protocol_property_declaration name: (pattern bound_identifier: (_) @name)) @def.variable

(call_expression . [(simple_identifier) (navigation_expression)] @call)
(attribute (user_type (type_identifier) @read .))
(inheritance_specifier inherits_from: (user_type (type_identifier) @inherit .))
(parameter (user_type (type_identifier) @type .))
(parameter (optional_type (user_type (type_identifier) @type .)))
(function_declaration (user_type (type_identifier) @type .))
(type_annotation (user_type (type_identifier) @type .))
(type_annotation (optional_type (user_type (type_identifier) @type .)))
(type_arguments (user_type (type_identifier) @type .))
(array_type (user_type (type_identifier) @type .))

(import_declaration (identifier) @import)
[(comment) (multiline_comment)] @comment
[(line_string_literal) (multi_line_string_literal) (raw_string_literal)] @string
