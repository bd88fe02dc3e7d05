; The keys of the first two levels; all text is prose.
(document (block_node (block_mapping (block_mapping_pair key: (flow_node) @name) @def.key)))
(document (block_node (block_mapping (block_mapping_pair
  value: (block_node (block_mapping (block_mapping_pair key: (flow_node) @name) @def.subkey))))))
(comment) @comment
(stream) @string
