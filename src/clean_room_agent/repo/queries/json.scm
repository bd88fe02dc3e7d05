; The keys of the first two levels; all text is prose.
(document (object (pair key: (string (string_content) @name)) @def.key))
(document (object (pair
  value: (object (pair key: (string (string_content) @name)) @def.subkey))))
(comment) @comment
(document) @string
