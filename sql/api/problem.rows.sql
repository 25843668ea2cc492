-- api.problem - the response for each error.
set local role leads_owner;
delete from api.problem;

-- Words that the server raises.
insert into api.problem (raised_by, status, code, title, detail)
values
  ('invalid_request', 400, 'invalid_request', 'Invalid request', 'This is not a valid HTTP/1.1 request. Correct the HTTP client.'),
  ('head_too_large', 431, 'head_too_large', 'Head too large', 'The request line and headers have at most 32 KiB, and 100 headers.'),
  ('not_found', 404, 'not_found', 'Not found', 'There is nothing at this address. Check the path and the id.'),
  ('method_not_allowed', 405, 'method_not_allowed', 'Method not allowed', 'Use one of the methods in the Allow header.'),
  ('payload_too_large', 413, 'payload_too_large', 'Payload too large', 'The body is too large. Send a smaller one.'),
  ('unsupported_media_type', 415, 'unsupported_media_type', 'Unsupported media type',
    'Send the body in one of the media types that the Accept header lists.'),
  ('invalid_parameter', 400, 'invalid_parameter', 'Invalid parameter', 'Fix the fields listed in errors and send the request again.'),
  ('invalid_position', 400, 'invalid_position', 'Invalid position',
    'The header Leads-Position contains a value that no response had. Send the value of a response unchanged, up to 8 of them '
    'with commas between them, or leave the header out.'),
  ('internal', 500, 'internal', 'Internal error', 'An error occurred in the server. Report it with the request_id.'),
  ('unavailable', 503, 'unavailable', 'Unavailable', 'The server is busy. Nothing was done. Try again.'),
  ('no_sealing_key', 503, 'no_sealing_key', 'No worker has started',
    'A new secret can be stored only after a worker has announced its key. Nothing was done. An operator starts one with: leads worker'),
  ('outcome_unknown', 503, 'outcome_unknown', 'Unavailable',
    'The connection to the database was lost, and the outcome is unknown. Check whether the change was made, or repeat the '
    'request if it has an Idempotency-Key.');

-- Words that functions raise.
insert into api.problem (raised_by, status, code, title, detail)
values
  ('unauthorized', 401, 'unauthorized', 'Unauthorized', 'Send a valid API key: Authorization: Bearer lk_….'),
  ('rate_limited', 429, 'rate_limited', 'Too many requests', 'Too many requests were sent. Try again after the seconds in Retry-After.'),
  ('moving', 503, 'moving', 'Moving',
    'The organization is being moved to another server. Nothing was done. Try again after the seconds in Retry-After.'),
  ('insufficient_scope', 403, 'insufficient_scope', 'Insufficient scope', 'The key does not have the required scope. Use a key that has it.'),
  ('invalid_body', 400, 'invalid_body', 'Invalid body', 'Fix the fields listed in errors and send the request again.'),
  ('cursor_expired', 400, 'cursor_expired', 'Cursor expired',
    'The cursor is of another database, or the database was restored to an earlier time. Read all leads again, and '
    'start again with updated_since.'),
  ('validation_failed', 422, 'validation_failed', 'Validation failed', 'Fix the fields listed in errors and send the request again.'),
  ('precondition_failed', 412, 'precondition_failed', 'Precondition failed',
    'The record has changed since you read it, so If-Match does not match. Get the record again and repeat the change.'),
  ('idempotency_key_reused', 422, 'idempotency_key_reused', 'Idempotency key reused',
    'This Idempotency-Key was used for another request within the last 24 hours. Use a new key for a new request.'),
  ('idempotency_in_progress', 409, 'idempotency_in_progress', 'Request in progress',
    'A request with this Idempotency-Key is still running. Repeat the request in a moment.'),
  ('erased', 409, 'erased', 'Erased',
    'The request with this Idempotency-Key succeeded earlier, and its lead was erased later. Nothing was changed now. Use a new key for a new request.'),
  ('secret_already_shown', 409, 'secret_already_shown', 'Secret already shown',
    'This request succeeded earlier. Its response showed a secret, and is not kept. If you lost the secret, delete or rotate '
    'the object, and use a new Idempotency-Key.'),
  ('webhook_is_disabled', 409, 'webhook_is_disabled', 'Webhook is disabled',
    'The webhook is disabled. Enable it with PATCH /webhooks/{id} and {"state": "enabled"}, and send the request again.'),
  ('too_many_webhooks', 409, 'too_many_webhooks', 'Too many webhooks',
    'The organization has 20 webhooks, which is the maximum. Delete one that it no longer needs.'),
  ('last_admin_key', 409, 'last_admin_key', 'Last admin key',
    'No other admin key of the organization is valid for as long as this one. Create another admin key first, or rotate '
    'this one.'),
  ('too_many_keys', 409, 'too_many_keys', 'Too many keys', 'The organization has 100 valid keys. Delete those that you don''t use.'),
  ('key_not_valid', 409, 'key_not_valid', 'Key not valid', 'The key is revoked or has expired. Create another key.'),
  ('key_rotated_already', 409, 'key_rotated_already', 'Key rotated already', 'The key was already rotated. Rotate its successor.'),
  ('crm_not_configured', 409, 'crm_not_configured', 'CRM not configured',
    'The organization has no connection to a CRM. An operator can create one with: leads crm connect'),
  ('crm_outcome_unknown', 409, 'crm_outcome_unknown', 'Outcome unknown',
    'The CRM may already have a record of this lead, and its search cannot confirm it. Nothing was sent. An operator must check '
    'the CRM and then run: leads crm retry'),
  ('crm_rejected', 502, 'crm_rejected', 'CRM rejected the lead', 'The CRM rejected the lead. Fix the problem that it reports and push the lead again.'),
  ('crm_unavailable', 502, 'crm_unavailable', 'CRM unavailable', 'The CRM was not reachable for a day. Push the lead again.');

-- SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html).
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('22P02', 400, 'invalid_body', 'Invalid body', 'The body is not valid JSON.', 'body', 'invalid_json'),
  ('22P05', 400, 'invalid_body', 'Invalid body', 'The body contains a NUL character (\u0000). Remove it.', 'body', 'nul_character'),
  ('54001', 400, 'invalid_body', 'Invalid body', 'The body is nested more than 32 levels deep, or it has more than 500 objects and arrays.', 'body', 'too_deep'),
  ('22003', 422, 'validation_failed', 'Validation failed', 'The body contains a number that is out of range.', 'body', 'out_of_range');

insert into api.problem (raised_by, status, code, title, detail)
values
  ('25006', 500, 'internal', 'Internal error', 'An error occurred in the server. Report it with the request_id.'),
  ('40001', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('40P01', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  -- The queue of notifications is full (app.notify).
  ('54000', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('55P03', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('57014', 503, 'unavailable', 'Unavailable', 'The request took too long. Nothing was done. Try again.');

-- Constraints on the arguments of a request.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('page_size_within_1_and_200', 400, 'invalid_parameter', 'Invalid parameter', 'This must be a whole number from 1 to 200.',
    'limit', 'out_of_range'),
  ('lead_cursor_is_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This is not a cursor. Send the next_cursor of the previous page unchanged, or leave it out for the first page.',
    'cursor', 'invalid_cursor'),
  ('duplicate_rule_is_known', 400, 'invalid_parameter', 'Invalid parameter', 'This must be "error", "skip" or "update".',
    'on_duplicate', 'unknown_rule'),
  ('duplicate_key_is_known', 400, 'invalid_parameter', 'Invalid parameter', 'This must be "reference", "email" or "phone".',
    'match', 'unknown_key'),
  ('export_cursor_is_well_formed', 400, 'invalid_parameter', 'Invalid parameter', 'This is not a cursor of an export.',
    'cursor', 'invalid_cursor'),
  ('export_format_is_known', 400, 'invalid_parameter', 'Invalid parameter', 'This must be ndjson or csv.',
    'format', 'unknown_format'),
  ('search_text_has_1_to_100_characters', 400, 'invalid_parameter', 'Invalid parameter', 'This must have 1 to 100 characters.',
    'q', 'too_long'),
  ('lead_order_is_known', 400, 'invalid_parameter', 'Invalid parameter', 'This must be created_at or updated_at.',
    'order', 'unknown_order'),
  ('cursor_is_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This is not a cursor. Send the next_cursor of the previous page unchanged, or leave it out for the first page.',
    'cursor', 'invalid_cursor'),
  ('any_of_has_at_most_10_values', 400, 'invalid_parameter', 'Invalid parameter', 'This can have at most 10 values.',
    'filter', 'too_many_values'),
  ('instant_is_date_or_has_offset', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be a date such as 2026-04-27 (midnight UTC), or a date and time with Z or an offset such as '
    '2026-04-27T13:22:05Z.', 'start_at', 'invalid_timestamp'),
  ('entity_tags_are_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be * or entity tags as ETag returned them, with their double quotes.', 'If-Match', 'invalid_entity_tag'),
  ('idempotency_key_is_1_to_255_printable_characters', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be 1 to 255 printable ASCII characters.', 'Idempotency-Key', 'invalid_idempotency_key'),
  ('delivery_state_is_known', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be "pending", "delivered", "failed", "skipped" or "simulated".', 'state', 'unknown_state'),
  ('seal_count_within_1_and_10000', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be a whole number from 1 to 10000.', 'limit', 'out_of_range'),
  ('seal_position_is_a_whole_number', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be a whole number, such as the next_after of the previous response.', 'after', 'invalid_position'),
  ('chain_head_is_position_and_hash', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be the head of an earlier response: a position, a colon and 64 hexadecimal digits.', 'head', 'invalid_head');

-- Another lead of the organization has the reference.
insert into api.problem (raised_by, status, code, title, detail)
select
  r.raised_by, 409, 'reference_in_use', 'Reference in use',
  'Another lead has this reference. Find it with GET /leads?reference=…, or send another reference.'
from (values ('reference_in_use'), ('lead_by_reference')) as r (raised_by);

-- Constraints on several fields of a lead; api.problems adds the constraints on one field.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('lead_has_email_or_name_and_company_or_phone', 422, 'validation_failed', 'Validation failed',
    'A lead needs an email, or a name with a company or a phone.', 'email', 'contact_required'),
  ('lead_times_have_a_year_of_4_digits', 422, 'validation_failed', 'Validation failed',
    'The year must be from 1 to 9999.', 'created_at', 'out_of_range');

-- Constraints on a signal. scoring.signal_faults reports these errors first.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
select c.raised_by, 422, 'validation_failed', 'Validation failed', c.detail, c.field, c.field_code
from (values
  ('signal_type_is_name', 'type', 'invalid_name', 'This must be 1 to 64 of the characters a-z, 0-9, _ and -.'),
  ('signal_value_is_flat', 'value', 'invalid_value',
    'This must be true, false, null, a number, a text, or a flat object of these.'),
  ('signal_dedupe_key_is_text_of_1_to_255', 'dedupe_key', 'invalid_dedupe_key', 'This must be a text of 1 to 255 characters.'),
  ('signal_times_have_a_year_of_4_digits', 'observed_at', 'invalid_timestamp', 'The year must be from 1 to 9999.')
) as c (raised_by, field, field_code, detail);
