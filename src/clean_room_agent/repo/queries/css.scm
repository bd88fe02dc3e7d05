; A rule is named by each of its selectors.
(rule_set (selectors (_) @name)) @def.rule
(keyframes_statement (keyframes_name) @name) @def.rule
(declaration (property_name) @name (#match? @name "^--")) @def.subkey
(comment) @comment
(string_value) @string
