; What the index takes from SQL: what is created, its columns, and which tables are used.
(create_table (object_reference) @name) @def.struct
(create_view (object_reference) @name) @def.struct
(create_materialized_view (object_reference) @name) @def.struct
(column_definition name: (identifier) @name) @def.variable
(create_function (object_reference) @name) @def.function
(create_procedure (object_reference) @name) @def.function
(create_trigger (object_reference) @name) @def.function
(create_type (object_reference) @name) @def.type
(create_index column: (_) @name) @def.variable
(create_sequence (object_reference) @name) @def.variable
(create_schema (identifier) @name) @def.module

(relation (object_reference) @type)
(from (object_reference) @type)
(insert (object_reference) @type)
(column_definition (object_reference) @type)
(constraint (object_reference) @type)
(create_index (object_reference) @type)
(create_trigger (keyword_on) . (object_reference) @type)
(create_trigger (keyword_function) . (object_reference) @call)
(create_trigger (keyword_procedure) . (object_reference) @call)
(alter_table (object_reference) @type)
(drop_table (object_reference) @type)
(invocation (object_reference) @call)

[(comment) (marginalia)] @comment
(literal) @string
