; What the index takes from Ruby.
(module) @def.module
(class) @def.class
(program (method) @def.function)
(method) @def.method
(singleton_method) @def.method
(program (assignment left: (constant) @name) @def.constant)
(body_statement (assignment left: (constant) @name) @def.constant)
(call
  method: (identifier) @_define
  arguments: (argument_list . (simple_symbol) @name)
  block: (_)
  (#eq? @_define "define_method")) @def.method
(call
  method: (identifier) @_define
  arguments: (argument_list . (string (string_content) @name))
  block: (_)
  (#eq? @_define "define_method")) @def.method
(call
  method: (identifier) @_attribute
  arguments: (argument_list (simple_symbol) @name)
  (#match? @_attribute "^(attr|attr_(reader|writer|accessor)|alias_method)$")) @def.variable
(alias name: (identifier) @name) @def.method

(call method: [(identifier) (constant)]) @call.method
(call method: (super) @call)
(body_statement (identifier) @call)
(superclass [(constant) (scope_resolution)] @inherit)
(call
  method: (identifier) @_mixin
  arguments: (argument_list [(constant) (scope_resolution)] @inherit)
  (#any-of? @_mixin "include" "extend" "prepend"))
(call receiver: [(constant) (scope_resolution)] @type)

(call
  method: (identifier) @_import
  arguments: (argument_list . (string))
  (#any-of? @_import "require" "require_relative" "load" "autoload")) @import
(call
  method: (identifier) @_import
  arguments: (argument_list (simple_symbol) (string))
  (#eq? @_import "autoload")) @import
(comment) @comment
[(string) (heredoc_body) (regex) (string_array)] @string
