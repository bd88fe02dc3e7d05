; C++, and headers of either language.
; inherits: c.scm
(class_specifier name: (_) body: (_)) @def.class
(namespace_definition name: (_)) @def.module
(alias_declaration) @def.type
(concept_definition) @def.type
(type_definition type: [(qualified_identifier) (template_type)]) @def.type
(field_declaration_list (declaration) @def.declared)
(field_declaration_list (template_declaration (declaration) @def.declared))
(template_declaration (declaration) @def.declared)
(template_declaration) @decorated

(base_class_clause [(type_identifier) (qualified_identifier)] @inherit)
(base_class_clause (template_type name: (_) @inherit))
(base_class_clause (qualified_identifier name: (template_type name: (_) @inherit)))
(call_expression function: (qualified_identifier) @call)
(call_expression function: (template_function name: (_) @call))
(call_expression function: (qualified_identifier name: (template_function name: (_) @call)))
(call_expression function: (field_expression field: (template_method name: (_) @call)))
(new_expression type: [(type_identifier) (qualified_identifier)] @call)
(new_expression type: (template_type name: (_) @call))
(template_argument_list (type_descriptor type: (type_identifier) @type))
(parameter_declaration type: (qualified_identifier) @type)
(template_type name: (type_identifier) @type)
(function_definition type: (qualified_identifier) @type)
(raw_string_literal) @string

; `EXPORT(type) name(...);`: a macro for a type is no C++, but what it declares can be read.
(ERROR (function_declarator) . (function_declarator declarator: (identifier)) @def.function)
