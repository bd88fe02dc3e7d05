; Headings and ids; all text is prose.
(element
  (start_tag (tag_name) @_heading (#match? @_heading "^[hH][1-6]$"))
  . (text) @name) @def.heading
(start_tag
  (attribute
    (attribute_name) @_id
    [(quoted_attribute_value (attribute_value) @name) (attribute_value) @name]
    (#eq? @_id "id"))) @def.key
(document) @string
