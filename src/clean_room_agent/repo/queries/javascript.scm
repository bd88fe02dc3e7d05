; JavaScript: what all dialects share, JSX, and its own class heritage and fields.
; inherits: script.scm
; inherits: jsx.scm
(class_heritage [(identifier) (member_expression)] @inherit)
(field_definition property: (_)) @def.variable
(field_definition property: (_) value: [(arrow_function) (function_expression)]) @def.method
