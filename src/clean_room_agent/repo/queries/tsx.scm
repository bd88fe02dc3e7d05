; TSX is TypeScript with JSX.
; inherits: typescript.scm
; inherits: jsx.scm
