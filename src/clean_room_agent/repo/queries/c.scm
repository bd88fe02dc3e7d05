; What the index takes from C.
; inherits: declarations.scm
(type_definition type: (struct_specifier !name body: (_))) @def.struct
(type_definition type: (union_specifier !name body: (_))) @def.struct
(type_definition type: (enum_specifier !name body: (_))) @def.enum
