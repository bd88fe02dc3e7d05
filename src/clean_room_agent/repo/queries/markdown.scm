; Headings with what stands under them; all text is prose.
(atx_heading heading_content: (inline) @name) @def.section
(setext_heading heading_content: (paragraph (inline) @name)) @def.section
(document) @string
