; What the index takes from PHP.
(namespace_definition !body) @def.rest
(namespace_definition body: (_)) @def.module
(class_declaration) @def.class
(interface_declaration) @def.interface
(trait_declaration) @def.trait
(enum_declaration) @def.enum
(enum_case name: (name) @name) @def.constant
(function_definition) @def.function
(method_declaration) @def.method
(const_declaration (const_element . (name) @name)) @def.constant
(function_call_expression
  function: (name) @_define
  arguments: (arguments . (argument (string (string_content) @name)))
  (#eq? @_define "define")) @def.constant
(property_declaration (property_element name: (variable_name (name) @name))) @def.variable

(function_call_expression function: [(name) @call (qualified_name (name) @call .)])
(member_call_expression) @call.method
(nullsafe_member_call_expression) @call.method
(scoped_call_expression) @call.method
(object_creation_expression [(name) @call (qualified_name (name) @call .)])
(attribute [(name) @read (qualified_name (name) @read .)])
(base_clause [(name) @inherit (qualified_name (name) @inherit .)])
(class_interface_clause [(name) @inherit (qualified_name (name) @inherit .)])
(use_declaration [(name) @inherit (qualified_name (name) @inherit .)])
(named_type [(name) @type (qualified_name (name) @type .)])
(class_constant_access_expression . [(name) @type (qualified_name (name) @type .)])

(namespace_use_declaration) @import
[(require_expression) (require_once_expression) (include_expression)
  (include_once_expression)] @import
(comment) @comment
[(string) (encapsed_string) (heredoc) (nowdoc) (text)] @string
