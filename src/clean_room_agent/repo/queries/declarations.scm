; What C and C++ share. `def.declared` is a function or a variable by its declarator.
(function_definition) @def.function
(struct_specifier name: (_) body: (_)) @def.struct
(union_specifier name: (_) body: (_)) @def.struct
(enum_specifier name: (_) body: (_)) @def.enum
(enumerator) @def.constant
(type_definition type: [(primitive_type) (sized_type_specifier) (type_identifier)]) @def.type
(type_definition type: [(struct_specifier !body) (union_specifier !body) (enum_specifier !body)]) @def.type
(type_definition
  type: [(struct_specifier name: (_) body: (_)) (union_specifier name: (_) body: (_))
    (enum_specifier name: (_) body: (_))]
  declarator: (type_identifier) @def.alias)
(preproc_def value: (_)) @def.macro
(preproc_function_def) @def.macro
(translation_unit (declaration) @def.declared)
(preproc_ifdef (declaration) @def.declared)
(preproc_if (declaration) @def.declared)
(preproc_else (declaration) @def.declared)
(declaration_list (declaration) @def.declared)
(field_declaration) @def.declared

(call_expression function: (identifier) @call)
(call_expression function: (field_expression) @call.method)
(parameter_declaration type: (type_identifier) @type)
(parameter_declaration type: (struct_specifier name: (type_identifier) @type))
(field_declaration type: (type_identifier) @type)
(field_declaration type: (struct_specifier !body name: (type_identifier) @type))
(declaration type: (type_identifier) @type)
(declaration type: (struct_specifier !body name: (type_identifier) @type))
(function_definition type: (type_identifier) @type)
(function_definition type: (struct_specifier !body name: (type_identifier) @type))
(cast_expression type: (type_descriptor type: (type_identifier) @type))
(sizeof_expression type: (type_descriptor type: (type_identifier) @type))

(preproc_include path: [(string_literal) (system_lib_string)] @import)
(comment) @comment
[(string_literal) (char_literal)] @string
