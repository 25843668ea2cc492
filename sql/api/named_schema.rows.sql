-- api.named_schema - the schemas of JSON values that no type of schema api describes.
set local role leads_owner;
delete from api.named_schema;

insert into api.named_schema (name, schema)
values
  ('Problem', $${
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "errors", "request_id"],
    "properties": {
      "type": {"type": "string", "description": "The address of the code in this reference."},
      "title": {"type": "string", "description": "The error in a few words."},
      "status": {"type": "integer", "description": "The HTTP status."},
      "detail": {"type": "string", "description": "What to do next."},
      "code": {"$ref": "#/components/schemas/ProblemCode", "description": "The error as a stable word."},
      "errors": {
        "type": "array",
        "description": "Everything that is wrong with the request.",
        "items": {"$ref": "#/components/schemas/FieldError"}
      },
      "request_id": {"type": "string", "description": "The X-Request-Id of the response."}
    },
    "additionalProperties": false
  }$$),
  ('FieldError', $${
    "type": "object",
    "description": "One thing that is wrong with a request.",
    "required": ["field", "code", "detail"],
    "properties": {
      "field": {"type": "string", "description": "The field, parameter or header."},
      "code": {"type": "string", "description": "The error as a stable word."},
      "detail": {"type": "string", "description": "What the value must be."}
    },
    "additionalProperties": false
  }$$),
  ('FormMapping', $${
    "type": "object",
    "description": "Where values go: from the path or the question of a value to a field of the lead, details.NAME, signals.NAME, ignore, or auto. * in a path stands for any characters.",
    "maxProperties": 200,
    "additionalProperties": {
      "type": "string",
      "pattern": "^(name|company|email|source|pipeline_stage|industry|company_size|pain_points|timeline|budget_range|phone|reference|first_name|last_name|auto|ignore|details\\.[a-z][a-z0-9_]{0,63}|signals\\.[a-z0-9][a-z0-9_-]{0,63})$",
      "description": "A field of the lead, details.NAME, signals.NAME, ignore or auto."
    }
  }$$),
  ('FormConstants', $${
    "type": "object",
    "description": "Values that each lead has, by field or details.NAME.",
    "maxProperties": 200,
    "additionalProperties": {"type": ["string", "number", "boolean"], "description": "The value."}
  }$$),
  ('SignalBatch', $${
    "type": "object",
    "description": "Several signals about one lead. Either all are added, or none.",
    "required": ["signals"],
    "properties": {
      "signals": {
        "type": "array",
        "description": "The signals.",
        "minItems": 1,
        "maxItems": 200,
        "items": {"$ref": "#/components/schemas/SignalInput"}
      }
    },
    "additionalProperties": false
  }$$),
  ('SignalValue', replace($${
    "description": "true, false, null, a number, a text, or a flat object of these.",
    "anyOf": [
      {"type": ["boolean", "null", "number"]},
      {"type": "string", "maxLength": 1000, "minLength": 1, "pattern": "$text"},
      {
        "type": "object",
        "maxProperties": 32,
        "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": "$text"},
        "additionalProperties": {
          "anyOf": [
            {"type": ["boolean", "null", "number"]},
            {"type": "string", "maxLength": 1000, "minLength": 1, "pattern": "$text"}
          ]
        }
      }
    ]
  }$$, '"$text"', to_json(app.text_pattern())::text)::json),
  ('LeadDetailValues', replace($${
    "type": "object",
    "description": "Values by name: texts, numbers and booleans. At most 16 KiB as JSON.",
    "maxProperties": 50,
    "propertyNames": {"maxLength": 64, "pattern": "^[a-z][a-z0-9_]*$"},
    "additionalProperties": {
      "anyOf": [
        {"type": ["boolean", "number"]},
        {"type": "string", "maxLength": 1000, "minLength": 1, "pattern": "$text"}
      ]
    }
  }$$, '"$text"', to_json(app.text_pattern())::text)::json),
  ('LeadDetailPatch', replace($${
    "description": "Values to change, by name; null removes a value.",
    "type": "object",
    "maxProperties": 50,
    "propertyNames": {"maxLength": 64, "pattern": "^[a-z][a-z0-9_]*$"},
    "additionalProperties": {
      "anyOf": [
        {"type": ["boolean", "number", "null"]},
        {"type": "string", "maxLength": 1000, "minLength": 1, "pattern": "$text"}
      ]
    }
  }$$, '"$text"', to_json(app.text_pattern())::text)::json),
  ('ExportEnd', $${
    "type": "object",
    "description": "The last line of an export. If it is missing, the export was cut off.",
    "required": ["complete", "rows"],
    "properties": {
      "complete": {"type": "boolean", "const": true, "description": "Always true."},
      "rows": {"type": "integer", "minimum": 0, "description": "The number of rows before this line."}
    },
    "additionalProperties": false
  }$$),
  ('Contribution', $${
    "type": "object",
    "description": "What one rule of the scoring model added to a score.",
    "required": ["rule", "label", "contribution", "signal_id"],
    "properties": {
      "rule": {"type": "string", "description": "The name of the rule."},
      "label": {"type": "string", "description": "The label of the rule, as in ai_reasoning."},
      "contribution": {"type": "number", "description": "The amount, with two decimals. It can be negative."},
      "signal_id": {
        "type": ["string", "null"],
        "format": "uuid",
        "description": "The signal that the rule matched; null if it matched a field of the lead."
      }
    },
    "additionalProperties": false
  }$$),
  ('CrmConnectionSettings', $${
    "type": "object",
    "description": "The settings of a connection. Each CRM has its own.",
    "additionalProperties": true
  }$$),
  ('AuditPayload', $${
    "type": "object",
    "description": "The details of an event. Each action has its own members; these are common to several.",
    "properties": {
      "lead_id": {"type": "string", "format": "uuid", "description": "The lead, if the event is about one."},
      "diff": {"$ref": "#/components/schemas/Diff", "description": "What changed."},
      "key_id": {
        "type": ["string", "null"],
        "format": "uuid",
        "description": "The API key that made the change; null if the change was not made over the API."
      },
      "role": {"type": "string", "description": "The database login that made the change, if no API key did."}
    },
    "additionalProperties": true
  }$$),
  ('Diff', $${
    "type": "object",
    "description": "The fields that changed, by name.",
    "additionalProperties": {"$ref": "#/components/schemas/FieldChange"}
  }$$),
  ('FieldChange', $${
    "type": "object",
    "description": "The change of one field. If the person was erased, there is only erased.",
    "properties": {
      "from": {"description": "The value before the change; null if there was none."},
      "to": {"description": "The value after the change; null if there is none."},
      "erased": {"type": "boolean", "description": "true: the values were erased at the request of the person."}
    },
    "additionalProperties": false
  }$$);
