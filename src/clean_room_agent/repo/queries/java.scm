; What the index takes from Java.
(class_declaration) @def.class
(record_declaration) @def.class
(interface_declaration) @def.interface
(annotation_type_declaration) @def.interface
(enum_declaration) @def.enum
(enum_constant) @def.constant
(annotation_type_element_declaration) @def.method
(method_declaration) @def.method
(constructor_declaration) @def.method
(field_declaration) @def.field
(constant_declaration) @def.field

(method_invocation) @call.method
(object_creation_expression type: [(type_identifier) (scoped_type_identifier)] @call)
(object_creation_expression type: (generic_type . (_) @call))
(superclass [(type_identifier) (scoped_type_identifier)] @inherit)
(superclass (generic_type . (_) @inherit))
(super_interfaces (type_list [(type_identifier) (scoped_type_identifier)] @inherit))
(super_interfaces (type_list (generic_type . (_) @inherit)))
(extends_interfaces (type_list [(type_identifier) (scoped_type_identifier)] @inherit))
(formal_parameter type: (type_identifier) @type)
(field_declaration type: (type_identifier) @type)
(method_declaration type: (type_identifier) @type)
(local_variable_declaration type: (type_identifier) @type)
(generic_type (type_identifier) @type)
(type_arguments (type_identifier) @type)
[(marker_annotation name: (_) @read) (annotation name: (_) @read)]

(import_declaration) @import
[(line_comment) (block_comment)] @comment
[(string_literal)] @string
