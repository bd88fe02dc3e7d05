; What the index takes from shell scripts.
(function_definition) @def.function
(program (variable_assignment name: (variable_name) @name) @def.variable)
(program (declaration_command (variable_assignment name: (variable_name) @name) @def.variable))

(command name: (command_name (word) @call))

(command
  name: (command_name (word) @_source)
  . argument: (_) @import
  (#any-of? @_source "source" "."))
(comment) @comment
[(string) (raw_string) (heredoc_body) (ansi_c_string)] @string
