-- The API: errors, routes, the reference, and the functions that answer requests.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
grant create on schema api to leads_exec;
reset role;

-- begin frozen sql/api/problem.grants.sql
-- api.problem - the privileges on the table of errors.
set local role leads_owner;
revoke all on api.problem from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.problem to leads_exec;
-- begin frozen sql/api/problem.rows.sql
-- api.problem - the response for each error.
set local role leads_owner;
delete from api.problem;

-- Words that the server raises.
insert into api.problem (raised_by, status, code, title, detail)
values
  ('not_found', 404, 'not_found', 'Not found', 'There is nothing at this address. Check the path and the id.'),
  ('method_not_allowed', 405, 'method_not_allowed', 'Method not allowed', 'Use one of the methods in the Allow header.'),
  ('payload_too_large', 413, 'payload_too_large', 'Payload too large', 'The body is larger than 64 KiB. Send a smaller one.'),
  ('unsupported_media_type', 415, 'unsupported_media_type', 'Unsupported media type',
    'Send the body as application/json. For a PATCH, application/merge-patch+json is also accepted.'),
  ('invalid_parameter', 400, 'invalid_parameter', 'Invalid parameter', 'Fix the fields listed in errors and send the request again.'),
  ('internal', 500, 'internal', 'Internal error', 'An error occurred in the server. Report it with the request_id.'),
  ('unavailable', 503, 'unavailable', 'Unavailable', 'The server is busy. Nothing was done. Try again.'),
  ('outcome_unknown', 503, 'outcome_unknown', 'Unavailable',
    'The connection to the database was lost, and the outcome is unknown. Check whether the change was made, or repeat the '
    'request if it has an Idempotency-Key.');

-- Words that functions raise.
insert into api.problem (raised_by, status, code, title, detail)
values
  ('unauthorized', 401, 'unauthorized', 'Unauthorized', 'Send a valid API key: Authorization: Bearer lk_….'),
  ('insufficient_scope', 403, 'insufficient_scope', 'Insufficient scope', 'The key does not have the required scope. Use a key that has it.'),
  ('invalid_body', 400, 'invalid_body', 'Invalid body', 'Fix the fields listed in errors and send the request again.'),
  ('validation_failed', 422, 'validation_failed', 'Validation failed', 'Fix the fields listed in errors and send the request again.'),
  ('precondition_failed', 412, 'precondition_failed', 'Precondition failed',
    'The record has changed since you read it, so If-Match does not match. Get the record again and repeat the change.'),
  ('idempotency_key_reused', 422, 'idempotency_key_reused', 'Idempotency key reused',
    'This Idempotency-Key was used for another request within the last 24 hours. Use a new key for a new request.'),
  ('idempotency_in_progress', 409, 'idempotency_in_progress', 'Request in progress',
    'A request with this Idempotency-Key is still running. Repeat the request in a moment.'),
  ('erased', 409, 'erased', 'Erased',
    'The request with this Idempotency-Key succeeded earlier, and its lead was erased later. Nothing was changed now. Use a new key for a new request.'),
  ('crm_not_configured', 409, 'crm_not_configured', 'CRM not configured',
    'The organization has no connection to a CRM. An operator can create one with: leads crm connect'),
  ('crm_outcome_unknown', 409, 'crm_outcome_unknown', 'Outcome unknown',
    'The CRM may already have a record of this lead, and its search cannot tell. Nothing was sent. An operator must check '
    'the CRM and then run: leads crm retry'),
  ('crm_rejected', 502, 'crm_rejected', 'CRM rejected the lead', 'The CRM rejected the lead. Fix the problem that it reports and push the lead again.'),
  ('crm_unavailable', 502, 'crm_unavailable', 'CRM unavailable', 'The CRM was not reachable for a day. Push the lead again.');

-- SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html).
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('22P02', 400, 'invalid_body', 'Invalid body', 'The body is not valid JSON.', 'body', 'invalid_json'),
  ('22P05', 400, 'invalid_body', 'Invalid body', 'The body contains a NUL character (\u0000). Remove it.', 'body', 'nul_character'),
  ('54001', 400, 'invalid_body', 'Invalid body', 'The body is nested more than 32 levels deep.', 'body', 'too_deep'),
  ('22003', 422, 'validation_failed', 'Validation failed', 'The body contains a number that is out of range.', 'body', 'out_of_range');

insert into api.problem (raised_by, status, code, title, detail)
values
  ('25006', 500, 'internal', 'Internal error', 'An error occurred in the server. Report it with the request_id.'),
  ('40001', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('40P01', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('55P03', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('57014', 503, 'unavailable', 'Unavailable', 'The request took too long. Nothing was done. Try again.');

-- Constraints on the arguments of a request.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('page_size_within_1_and_200', 400, 'invalid_parameter', 'Invalid parameter', 'This must be a whole number from 1 to 200.',
    'limit', 'out_of_range'),
  ('cursor_is_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This is not a cursor. Send the next_cursor of the previous page unchanged, or leave it out for the first page.',
    'cursor', 'invalid_cursor'),
  ('any_of_has_at_most_10_values', 400, 'invalid_parameter', 'Invalid parameter', 'This can have at most 10 values.',
    'filter', 'too_many_values'),
  ('entity_tags_are_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be * or entity tags as ETag returned them, with their double quotes.', 'If-Match', 'invalid_entity_tag'),
  ('idempotency_key_is_1_to_255_printable_characters', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be 1 to 255 printable ASCII characters.', 'Idempotency-Key', 'invalid_idempotency_key'),
  ('seal_count_within_1_and_10000', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be a whole number from 1 to 10000.', 'limit', 'out_of_range'),
  ('seal_position_is_a_whole_number', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be a whole number, such as the next_after of the previous response.', 'after', 'invalid_position'),
  ('chain_head_is_position_and_hash', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be the head of an earlier response: a position, a colon and 64 hexadecimal digits.', 'head', 'invalid_head');

-- Constraints on several fields of a lead; api.problems adds the constraints on one field.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('lead_has_email_or_name_and_company', 422, 'validation_failed', 'Validation failed',
    'A lead needs an email, or a name and a company.', 'email', 'contact_required'),
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
-- begin frozen sql/api/problems.sql
-- api.problems - the response for each error. The server reads it with the routes.
set local role leads_exec;

create or replace function api.problems()
returns table (
  raised_by text,
  status integer,
  code text,
  title text,
  detail text,
  field text,
  field_code text
)
language sql stable security definer
begin atomic
  select p.raised_by, p.status, p.code, p.title, p.detail, p.field, p.field_code
  from api.problem as p
  union all
  -- A value that app.lead_faults does not find and a constraint refuses gets the same error.
  select
    c.conname,
    422,
    'validation_failed',
    'Validation failed',
    app.lead_field_rule(f.kind, f.max_length, f.is_nullable),
    f.name,
    case f.kind
      when 'text' then 'too_long'
      when 'score' then 'out_of_range'
      when 'stage' then 'unknown_stage'
      else 'invalid_' || f.kind
    end
  from app.lead_field as f
  join pg_catalog.pg_attribute as a on a.attrelid = 'app.lead'::regclass and a.attname = f.name
  join pg_catalog.pg_constraint as c on c.conrelid = a.attrelid and (
    (c.contype = 'c' and c.conkey = array[a.attnum]) or (c.contype = 'f' and a.attnum = any (c.conkey))
  )
  order by 1;
end;

comment on function api.problems() is
$$The rows of api.problem, and one row for each constraint on a field of a lead.$$;

grant execute on function api.problems() to leads_api;
-- begin frozen sql/api/route.grants.sql
-- api.route - the privileges on the route table.
set local role leads_owner;
revoke all on api.route from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.route to leads_exec, leads_jobs;
-- begin frozen sql/api/operation.grants.sql
-- api.operation - the privileges on a table of the reference.
set local role leads_owner;
revoke all on api.operation from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.operation to leads_exec, leads_jobs;
-- begin frozen sql/api/document.sql
-- api.document - writes the documentation of an endpoint. The file of each endpoint calls it.
set local role leads_owner;

create or replace procedure api.document(
  function text,
  tag text,
  request text default null,
  rule json default null,
  answer text default null,
  form text default null,
  statuses integer[] default '{200}',
  headers text[] default '{}',
  problems text[] default '{}',
  parameters json default '{}',
  examples json default '{}'
)
language sql
begin atomic
  insert into api.operation (
    function, tag, request, rule, answer, form, statuses, headers, problems, parameters, examples
  )
  values (
    document.function, document.tag, document.request, document.rule, document.answer, document.form, document.statuses,
    document.headers, document.problems, document.parameters, document.examples
  )
  on conflict on constraint operation_pkey do update
  set
    tag = excluded.tag,
    request = excluded.request,
    rule = excluded.rule,
    answer = excluded.answer,
    form = excluded.form,
    statuses = excluded.statuses,
    headers = excluded.headers,
    problems = excluded.problems,
    parameters = excluded.parameters,
    examples = excluded.examples;
end;

comment on procedure api.document(
  text, text, text, json, text, text, integer[], text[], text[], json, json
) is
$$Writes the row of api.operation for a function; the comments on its columns explain the arguments.

The summary and the description come from the function's comment, the parameters from its signature, and the fields from
the types. Only the owner of the table can call it.$$;
-- begin frozen sql/api/tag.rows.sql
-- api.tag - the chapters of the reference.
set local role leads_owner;
delete from api.tag;

insert into api.tag (name, position, description)
values
  ('Leads', 1, 'People and companies that are interested in your services. A key reaches only the leads of its organization.'),
  ('Scoring', 2, 'Signals about a lead, and the score that the organization''s model computes from them, with its reasons.'),
  ('CRM', 3, 'The record of a lead in the organization''s CRM. Each lead gets one record, and never a second one.'),
  ('Audit log', 4, 'Every change, with its author and origin, and the proof that the log itself was not changed.'),
  ('Organization', 5, 'The organization that the key belongs to.');
-- begin frozen sql/api/tag.grants.sql
-- api.tag - the privileges on a table of the reference.
set local role leads_owner;
revoke all on api.tag from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.tag to leads_exec;
-- begin frozen sql/api/guide.rows.sql
-- api.guide - the guide at the beginning of the reference.
set local role leads_owner;
delete from api.guide;

insert into api.guide (position, title, body)
values
  (1, 'Keys',
$$Send a key with each request: `Authorization: Bearer lk_live_…`. A key belongs to one organization and reaches only that
organization's records. The API answers a request for any other record with 404, as if the record did not exist.

The scope of a key is `read`, `write` or `admin`. `write` includes `read`, and `admin` includes `write`. A key is shown
once, when it is created. Keep it on a server, never in a web page. Keys that begin with `lk_test_` belong to a test
organization: its pushes to a CRM are simulated, and no data leaves the server.

```sh
API=https://leads.example.com/api/v1  # the address of this server
curl -H "Authorization: Bearer $KEY" "$API/health"
```$$),
  (2, 'Errors',
$$Errors are `application/problem+json` (RFC 9457). `code` is a stable word for your program. `detail` says what to do
next. `errors` lists everything that is wrong with the request, by field. `request_id` is the `X-Request-Id` that you
sent, or one that the server generated. It is also in the server's log and in the audit log. Include it when you ask for
support.

The API checks in this order: the path (404), the method (405), the key (401), the scope (403), the size of the body
(413), its type (415), the form of the request (400), `Idempotency-Key`, the fields (422), the record (404), `If-Match`
(412).

After a status of 500 or more you can repeat a GET, and also a POST that has an `Idempotency-Key`. Before you repeat any
other request that failed with the code `outcome_unknown`, check whether the change was made. A response with status 503
has `Retry-After`.$$),
  (3, 'Paging',
$$Lists are sorted from newest to oldest. `limit` is a number from 1 to 200; the default is 50. To get the next page, send
`next_cursor` as `cursor`, until it is null, or follow the `Link` header. The pages contain every row that existed when
you requested the first page exactly once, even if rows are added in the meantime.

Rows do not become visible in the order of `created_at`. If you poll with `start_at`, request an overlap of some minutes
and drop duplicates by `id`. To follow changes, poll the audit log.$$),
  (4, 'Idempotency',
$$You can repeat a POST that has an `Idempotency-Key` (1 to 255 printable characters, for example the id of a form). For
24 hours, the same key with the same request returns the first response again, with `Idempotency-Replayed: true`.
Another request with the same key returns 422. If the first request is still running, a repeat waits up to 5 seconds,
and then returns 409. Only successful responses are kept.$$),
  (5, 'Concurrency',
$$The response with a lead has an `ETag`. Send it as `If-Match` with a PATCH: the change is made only if the lead has not
changed since, otherwise the API returns 412. Send it as `If-None-Match` with a GET: the API returns 304 if the lead has
not changed.$$);
-- begin frozen sql/api/guide.grants.sql
-- api.guide - the privileges on a table of the reference.
set local role leads_owner;
revoke all on api.guide from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.guide to leads_exec;
-- begin frozen sql/api/parameter.rows.sql
-- api.parameter - the descriptions of parameters that several routes share.
set local role leads_owner;
delete from api.parameter;

insert into api.parameter (name, description, example)
values
  ('id', 'The id of the record.', '9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18'),
  ('limit', 'The maximum number of rows in the response.', null),
  ('cursor', 'The `next_cursor` of the previous page. Leave it out for the first page.',
    'eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS0zYzBlN2Q0YjJmMTgifQ'),
  ('pipeline_stage', 'Only leads in one of these stages.', 'qualified,won'),
  ('source', 'Only rows with one of these sources.', null),
  ('email', 'Only leads with one of these addresses. Upper and lower case letters A to Z are equal.', 'sarah.mitchell@example.com'),
  ('start_at', 'Only rows created at this time or later: a date (midnight UTC), or a time with `Z` or an offset.', null),
  ('end_at', 'Only rows created before this time: a date (midnight UTC), or a time with `Z` or an offset.', null),
  ('action', 'Only events with one of these actions.', 'lead.updated'),
  ('lead_id', 'Only events of this lead.', null),
  ('if_match', 'Make the change only if the record has one of these tags, as `ETag` returned them. Otherwise: 412.', '"1.11"'),
  ('idempotency_key', 'Makes the request safe to repeat: for 24 hours the same key and request return the first response again.', 'form-7731'),
  ('after', 'The position of the last seal that was verified: the `next_after` of the previous response.', null),
  ('head', 'A `head` that you kept from an earlier response. The chain must still contain it.', null);
-- begin frozen sql/api/parameter.grants.sql
-- api.parameter - the privileges on a table of the reference.
set local role leads_owner;
revoke all on api.parameter from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.parameter to leads_exec;
-- begin frozen sql/api/shape.rows.sql
-- api.shape - what the reference says about the types of schema api.
set local role leads_owner;
delete from api.shape;

insert into api.shape (type, relation, never_null, fields, example)
values
  ('api.lead_item', 'app.lead', '{}', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 87, "pipeline_stage": "qualified", "industry": null, "company_size": null, "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:09.218Z"}'),
  ('api.lead', 'app.lead', '{}', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 87, "pipeline_stage": "qualified", "industry": "residential", "company_size": null, "pain_points": "Recurring basement moisture after spring rain", "timeline": "this_week", "budget_range": null, "ai_reasoning": "High urgency: water damage signal, recent storm event, in-radius", "qualification_completed_at": "2026-04-27T13:22:09.218Z", "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:09.218Z"}'),
  ('api.lead_change', 'app.lead', '{}', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 92, "pipeline_stage": "won", "updated_at": "2026-04-27T18:55:42.001Z"}'),
  ('api.lead_input', 'app.lead', '{}', '{}',
    '{"name": "Sarah Mitchell", "email": "sarah.mitchell@example.com", "source": "website", "industry": "residential", "pipeline_stage": "new"}'),
  ('api.signal', 'scoring.signal', '{}',
    '{"value":{"$ref":"#/components/schemas/SignalValue"}}',
    '{"id": "01a15d1d-53d4-7897-a198-06530f93fb05", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "type": "storm_event", "value": {"miles": 4.2}, "observed_at": "2026-04-27T13:20:00.000Z", "dedupe_key": null, "created_at": "2026-04-27T13:22:06.030Z"}'),
  ('api.signal_input', 'scoring.signal', '{type}',
    '{"value":{"$ref":"#/components/schemas/SignalValue"}}',
    '{"type": "storm_event", "value": {"miles": 4.2}, "observed_at": "2026-04-27T13:20:00Z"}'),
  ('api.score', 'scoring.score', '{}',
    '{"contributions":{"type":["array","null"],"items":{"$ref":"#/components/schemas/Contribution"}}}',
    '{"id": "01a15d1f-77aa-7be0-9d1c-2f6a0b1c3d4e", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "kind": "set", "lead_score": 92, "ai_reasoning": null, "model": null, "model_version": null, "base": null, "contributions": null, "created_at": "2026-04-27T18:55:42.001Z"}'),
  ('api.new_score', 'scoring.score', '{id,lead_score,ai_reasoning,scored_at}', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "lead_score": 91, "ai_reasoning": "Recent storm event in service radius (+0.18); phone validated (+0.10); fast form completion (+0.08)", "scored_at": "2026-04-27T19:01:15.214Z"}'),
  ('api.crm_sync', 'crm.sync', '{}', '{}', null),
  ('api.lead_sync', null, '{id}', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "crm_sync": {"vendor": "jobnimbus", "external_id": "jn_117422", "status": "ok", "last_synced_at": "2026-04-27T19:03:42.118Z"}}'),
  ('api.crm_connection', 'crm.connection', '{}',
    '{"settings":{"$ref":"#/components/schemas/CrmConnectionSettings"}}',
    '{"id": "01a15d20-0b2c-7d3e-8f4a-5b6c7d8e9fa0", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "vendor": "jobnimbus", "account": "default", "state": "active", "fault": null, "push_stage": "qualified", "settle_seconds": 60, "settings": {"record_type_name": "Customer", "status_name": "Lead"}, "created_at": "2026-04-20T09:00:00.000Z"}'),
  ('api.audit_event', 'audit.event', '{}',
    '{"payload":{"$ref":"#/components/schemas/AuditPayload"}}',
    '{"id": "01a15d1e-0a5c-7c11-8a3c-5d1f1d6c2a91", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "action": "lead.updated", "source": "api", "correlation_id": "4f6c1c0e8d3b4a8c9a35c8f2b1d7e640", "payload": {"lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "diff": {"pipeline_stage": {"from": "qualified", "to": "won"}, "lead_score": {"from": 87, "to": 92}}, "key_id": "3f0d5a52-3c7e-4d6f-9a64-7d1b0a2e4c11"}, "created_at": "2026-04-27T18:55:42.001Z"}'),
  ('api.chain_verdict', null, '{organization_id,holds,verified_from,verified_to,unsealed}', '{}',
    '{"organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "holds": true, "fault": null, "verified_from": 1, "verified_to": 583, "next_after": null, "head": "583:fcc5b98b28bdea1ea9f95e5f1a7f529ca275366987c4743222202462510eaf54", "unsealed": 0}'),
  ('api.chain_fault', null, '{code,detail}',
    '{"code":{"type":"string","enum":["head_mismatch","seal_missing","event_missing","hash_mismatch","payload_mismatch","not_sealed"]}}', null),
  ('api.organization', 'app.organization', '{id,name,pipeline_stages}', '{}',
    '{"id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Acme Restoration", "environment": "live", "pipeline_stages": ["new", "contacted", "qualified", "proposal", "won", "lost"], "created_at": "2026-04-20T09:00:00.000Z"}'),
  ('api.health', 'app.organization', '{status,organization_id,environment,scopes}',
    '{"status":{"type":"string","enum":["ok"]},"scopes":{"type":"array","items":{"type":"string","enum":["read","write","admin"]}}}',
    '{"status": "ok", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "environment": "live", "scopes": ["read", "write"]}');
-- begin frozen sql/api/shape.grants.sql
-- api.shape - the privileges on a table of the reference.
set local role leads_owner;
revoke all on api.shape from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.shape to leads_exec;
-- begin frozen sql/api/named_schema.rows.sql
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
  ('SignalValue', $${
    "description": "true, false, null, a number, a text, or a flat object of these.",
    "anyOf": [
      {"type": ["boolean", "null", "number"]},
      {"type": "string", "maxLength": 1000, "pattern": "^[^\\u0000]*$"},
      {
        "type": "object",
        "maxProperties": 32,
        "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": "^[^\\u0000]*$"},
        "additionalProperties": {
          "anyOf": [
            {"type": ["boolean", "null", "number"]},
            {"type": "string", "maxLength": 1000, "pattern": "^[^\\u0000]*$"}
          ]
        }
      }
    ]
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
-- begin frozen sql/api/named_schema.grants.sql
-- api.named_schema - the privileges on a table of the reference.
set local role leads_owner;
revoke all on api.named_schema from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.named_schema to leads_exec;
-- begin frozen sql/api/release_version.sql
-- api.release_version - the version of the release, as in pyproject.toml.
set local role leads_exec;

create or replace function api.release_version()
returns text language sql immutable parallel safe
begin atomic
  select '0.9.0';
end;

comment on function api.release_version() is 'The version of the release that made this schema. The reference shows it.';
-- begin frozen sql/api/default_text.sql
-- api.default_text - the default of a function's argument, as text.
set local role leads_exec;

create or replace function api.default_text(function oid, "position" integer)
returns text language plpgsql stable security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_expression text := pg_catalog.pg_get_function_arg_default(default_text.function, default_text.position);
  v_value text;
begin
  if v_expression is not null then
    execute format('select (%s)::text', v_expression) into v_value;
  end if;
  return v_value;
end $$;

comment on function api.default_text(oid, integer) is
  'The default of the argument at a position (from 1), as text. Null if the argument has no default.';
-- begin frozen sql/api/routes.sql
-- api.routes - the routes and their functions' signatures, for the server at start and on NOTIFY.
set local role leads_exec;

create or replace function api.routes()
returns table (
  method text,
  path text,
  function text,
  scope text,
  is_read_only boolean,
  arguments json,
  wait_seconds integer,
  wait_function text,
  wait_arguments text[]
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select
    r.method,
    r.path,
    r.function,
    r.scope,
    f.provolatile <> 'v',
    (
      select json_agg(
        json_build_object(
          'name', a.name,
          'type', format_type(a.type, null),
          'base_type', format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
          'default', api.default_text(f.oid, a.position::integer)
        )
        order by a.position
      )
      from unnest(f.proargtypes::oid[], f.proargnames[:f.pronargs]) with ordinality as a (type, name, position)
      join pg_catalog.pg_type as t on t.oid = a.type
    ),
    r.wait_seconds,
    r.wait_function,
    case when w.provolatile <> 'v' then w.proargnames[:w.pronargs] end
  from api.route as r
  left join pg_catalog.pg_proc as f
    -- to_regproc fails for a name of three parts, and before PostgreSQL 16 for any malformed name.
    on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
    and f.prorettype = 'api.answer'::regtype
    and has_function_privilege(session_user, f.oid, 'execute')
  left join pg_catalog.pg_proc as w
    on w.oid = case when r.wait_function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.wait_function) end
    and w.prorettype = 'api.answer'::regtype
    and has_function_privilege(session_user, w.oid, 'execute')
  order by r.path, r.method;
end;

comment on function api.routes() is
$$The routes.

is_read_only and arguments are null if there is no single function of that name that returns api.answer and that the login
may execute. arguments: name, type, base_type (the type under a domain) and default (as text, or null), in order.
wait_arguments: the names of the arguments of wait_function. Null if there is no such function, or if it can write.$$;

grant execute on function api.routes() to leads_api;
-- begin frozen sql/api/object_text.sql
-- api.object_text - a JSON object as compact text, with its members in the order of the arguments.
set local role leads_exec;

create or replace function api.object_text(variadic members text[])
returns text language sql stable parallel safe
begin atomic
  select
    '{'
    || coalesce(
      string_agg(to_json(object_text.members[n]) || ':' || object_text.members[n + 1], ',' order by n), ''
    )
    || '}'
  from generate_series(1, cardinality(object_text.members), 2) as n
  where object_text.members[n + 1] is not null;
end;

comment on function api.object_text(text[]) is
$$A JSON object. json_build_object adds white space, and jsonb changes the order.

members: names and values in turn; a value is JSON text, and a member whose value is null is left out.$$;
-- begin frozen sql/api/json_text.sql
-- api.json_text - a text as a JSON string.
set local role leads_exec;

create or replace function api.json_text(content text)
returns text language sql stable parallel safe
begin atomic
  select to_json(json_text.content)::text;
end;

comment on function api.json_text(text) is 'The JSON string of a text, as text. Null for null.';
-- begin frozen sql/api/expression.sql
-- api.expression - the regular expression in a check, for the reference.
set local role leads_exec;

create or replace function api.expression(definition text)
returns text language sql immutable parallel safe
begin atomic
  select replace((regexp_match(expression.definition, '~ ''((?:[^'']|'''')+)'''))[1], '''''', '''');
end;

comment on function api.expression(text) is
  'The first regular expression in the definition of a constraint or the source of a function. Null if there is none.';
-- begin frozen sql/api/schema_name.sql
-- api.schema_name - the name of a type of schema api in the OpenAPI document.
set local role leads_exec;

create or replace function api.schema_name(type text)
returns text language sql immutable parallel safe
begin atomic
  select replace(initcap(replace(regexp_replace(schema_name.type, '^api\.', ''), '_', ' ')), ' ', '');
end;

comment on function api.schema_name(text) is
  'The words of a name in camel case: LeadItem for lead_item or api.lead_item.';
-- begin frozen sql/api/schema_reference.sql
-- api.schema_reference - a reference to a schema of the OpenAPI document.
set local role leads_exec;

create or replace function api.schema_reference(type text)
returns text language sql immutable parallel safe
begin atomic
  select '{"$ref":"#/components/schemas/' || api.schema_name(schema_reference.type) || '"}';
end;

comment on function api.schema_reference(text) is 'A JSON Schema, as text, that refers to the schema of a type of schema api. Null for null.';
-- begin frozen sql/api/value_schema.sql
-- api.value_schema - the JSON Schema of one value: a field or a parameter.
set local role leads_exec;

create or replace function api.value_schema(type oid, checks text[], is_nullable boolean, is_input boolean, more text)
returns text language sql stable parallel safe set search_path = pg_catalog, pg_temp
begin atomic
  with source as (
    select
      t.typname as name,
      format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as base,
      t.typtype = 'c' as is_composite,
      i.typname as item_name,
      i.typtype = 'c' as is_list_of_composites,
      array_to_string(value_schema.checks, ' ') as checks
    from pg_catalog.pg_type as t
    left join pg_catalog.pg_type as i on i.typarray = t.oid
    where t.oid = value_schema.type
  ),
  fact as (
    select
      s.*,
      (regexp_match(s.checks, 'app\.is_text\([^,]+, ([0-9]+)\)'))[1] as max_length,
      s.checks ~ 'app\.is_name\(' as is_name,
      s.checks ~ 'app\.is_email\(' as is_email,
      (regexp_match(s.checks, '>= [('']*(-?[0-9]+(\.[0-9]+)?)'))[1] as minimum,
      (regexp_match(s.checks, '<= [('']*(-?[0-9]+(\.[0-9]+)?)'))[1] as maximum,
      (
        select json_agg(replace(v.word[1], '''''', ''''))::text
        from regexp_matches((regexp_match(s.checks, '= ANY \(ARRAY\[(.*?)\]\)'))[1], '''((?:[^'']|'''')*)''', 'g') as v (word)
      ) as words
    from source as s
  )
  select
    '{' || concat_ws(
      ',',
      case
        when f.is_composite then
          case
            when value_schema.is_nullable
              then format('"anyOf":[{"$ref":"#/components/schemas/%s"},{"type":"null"}]', api.schema_name(f.name))
            else format('"$ref":"#/components/schemas/%s"', api.schema_name(f.name))
          end
        when f.base in ('json', 'jsonb') then null
        when f.base = 'text[]' then
          k.type || ',"items":{' || concat_ws(
            ',', '"type":"string"', '"enum":' || f.words,
            -- A comma always separates values, even if it is escaped.
            case when f.checks ~ 'cardinality' and f.words is null then '"pattern":"^[^,\\u0000]+$"' end
          ) || '}' || case when f.checks ~ 'cardinality' then ',"minItems":1,"maxItems":' || f.maximum else '' end
        when f.base = 'timestamp with time zone' then
          '"anyOf":[{"type":"string","format":"date-time"},{"type":"string","format":"date"}'
          || case when value_schema.is_nullable then ',{"type":"null"}' else '' end || ']'
        when f.is_list_of_composites then
          k.type || format(',"items":{"$ref":"#/components/schemas/%s"}', api.schema_name(f.item_name))
        else k.type
      end,
      case when f.base = 'uuid' then '"format":"uuid"' end,
      case when f.name = 'utc_time' then '"format":"date-time"' end,
      case
        when f.words is not null and f.base <> 'text[]'
        then '"enum":' || case when value_schema.is_nullable then regexp_replace(f.words, '\]$', ', null]') else f.words end
      end,
      case when f.max_length is not null then '"minLength":1,"maxLength":' || f.max_length end,
      -- Not "format": "email", which rejects some addresses that the pattern accepts (a..b).
      case when f.is_email then '"maxLength":254' end,
      case
        when f.is_name then '"pattern":' || to_json(api.expression(
          (select p.prosrc from pg_catalog.pg_proc as p where p.oid = 'app.is_name(text)'::regprocedure)
        ))
        when f.is_email then '"pattern":' || to_json(api.expression(
          (select p.prosrc from pg_catalog.pg_proc as p where p.oid = 'app.is_email(text)'::regprocedure)
        ))
        when f.max_length is not null and value_schema.is_input then
          -- White space at the ends is removed; something must remain. PostgreSQL cannot store NUL.
          '"pattern":' || to_json(
            '^[^\u0000]*[^\u0000\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000]*$'::text
          )
        when f.checks ~ 'is_cursor\(' then '"pattern":' || to_json('^[A-Za-z0-9_-]{1,200}$'::text)
        when f.base = 'text' and f.checks ~ ' ~ ' then '"pattern":' || to_json(api.expression(f.checks))
      end,
      case when k.type ~ 'integer|number' then '"minimum":' || f.minimum end,
      case when k.type ~ 'integer|number' then '"maximum":' || f.maximum end,
      value_schema.more
    ) || '}'
  from fact as f
  cross join lateral (
    select '"type":' || case when value_schema.is_nullable then format('["%s","null"]', n.name) else format('"%s"', n.name) end as type
    from (
      select case
        when f.base in ('smallint', 'integer', 'bigint') then 'integer'
        when f.base in ('numeric', 'real', 'double precision') then 'number'
        when f.base = 'boolean' then 'boolean'
        when f.base like '%[]' then 'array'
        else 'string'
      end as name
    ) as n
  ) as k;
end;

comment on function api.value_schema(oid, text[], boolean, boolean, text) is
$$The JSON Schema (2020-12, as in OpenAPI 3.1) of a value, as text.

type: the type of the value; it can be a domain. checks: the constraints on the value, as pg_get_constraintdef prints
them. is_input: whether a client sends the value. more: further members of the schema, as JSON text without braces;
null: none.$$;
-- begin frozen sql/api/type_schema.sql
-- api.type_schema - the JSON Schema of a composite type of schema api.
set local role leads_exec;

create or replace function api.type_schema(type text)
returns text language sql stable parallel safe set search_path = pg_catalog, pg_temp
begin atomic
  with shape as (
    select
      t.oid,
      t.typrelid,
      s.relation,
      coalesce(s.never_null, '{}') as never_null,
      s.fields,
      s.example,
      t.typname like '%\_input' as is_input
    from pg_catalog.pg_type as t
    left join api.shape as s on s.type = type_schema.type
    where t.oid = to_regtype(type_schema.type)
  ),
  field as (
    select
      a.attname as name,
      a.attnum as position,
      -- A request may leave a field out. A response has every field.
      not s.is_input or a.attname = any (s.never_null) as is_required,
      '"description":' || api.json_text(d.text) as description,
      json_strip_nulls(s.fields -> a.attname)::text as schema,
      api.value_schema(
        a.atttypid,
        array(
          select pg_get_constraintdef(k.oid)
          from pg_catalog.pg_constraint as k
          where k.conrelid = c.attrelid and k.contype = 'c' and k.conkey = array[c.attnum]
          order by k.conname
        )
        -- A foreign key to a name is a name.
        || array(
          select 'app.is_name('
          from pg_catalog.pg_constraint as k
          where
            k.conrelid = c.attrelid
            and k.contype = 'f'
            and c.attnum = any (k.conkey)
            and c.attname <> 'organization_id'
            and c.atttypid = 'text'::regtype
        ),
        not (coalesce(c.attnotnull, false) or a.attname = any (s.never_null)),
        s.is_input,
        '"description":' || api.json_text(d.text)
      ) as derived_schema
    from shape as s
    join pg_catalog.pg_attribute as a on a.attrelid = s.typrelid and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attribute as c
      on c.attrelid = to_regclass(s.relation) and c.attname = a.attname and not c.attisdropped
    cross join lateral (
      select coalesce(col_description(a.attrelid, a.attnum), col_description(c.attrelid, c.attnum)) as text
    ) as d
  )
  select api.object_text(
    'type', '"object"',
    'description', api.json_text(obj_description(s.oid, 'pg_type')),
    'required', (
      select '[' || string_agg(api.json_text(f.name), ',' order by f.position) || ']' from field as f where f.is_required
    ),
    'properties', (
      select '{' || string_agg(
        api.json_text(f.name)
        || ':' || coalesce(left(f.schema, -1) || concat(',' || f.description, '}'), f.derived_schema),
        ',' order by f.position
      ) || '}'
      from field as f
    ),
    'additionalProperties', 'false',
    'examples', '[' || s.example || ']'
  )
  from shape as s;
end;

comment on function api.type_schema(text) is
$$The JSON Schema (2020-12) of a composite type, as text. Null if there is no such type.

The fields are the attributes of the type, with their comments, and with the constraints on the columns of the table that
api.shape names for the type. An attribute without a comment has that of the column. Types whose names end with _input describe requests.$$;
-- begin frozen sql/api/operations.sql
-- api.operations - the endpoints of the reference, with what follows from the catalogue.
set local role leads_exec;

create or replace function api.operations()
returns table (
  id text,
  method text,
  path text,
  scope text,
  function oid,
  arguments text[],
  tag text,
  summary text,
  description text,
  request text,
  rule json,
  answer text,
  form text,
  statuses integer[],
  headers text[],
  problems text[],
  parameters json,
  examples json
)
language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  select
    -- An id must be unique: the second route of a function gets a number.
    f.proname || coalesce('_' || nullif(row_number() over (partition by f.proname order by r.path, r.method), 1), ''),
    r.method,
    r.path,
    r.scope,
    f.oid,
    a.arguments,
    coalesce(o.tag, 'Other'),
    rtrim(split_part(obj_description(f.oid, 'pg_proc'), E'\n', 1), '.'),
    nullif(btrim(regexp_replace(obj_description(f.oid, 'pg_proc'), '^[^\n]*\n*', ''), E'\n '), ''),
    -- A composite type that does not exist is shown as any JSON. leads doctor reports it.
    case when to_regclass(o.request) is not null then o.request end,
    o.rule,
    case when to_regclass(o.answer) is not null then o.answer end,
    coalesce(o.form, case when 'cursor' = any (a.arguments) then 'page' else 'object' end),
    coalesce(o.statuses, '{200}'),
    coalesce(o.headers, '{}'),
    coalesce(o.problems, '{}')
    || array['invalid_parameter', 'unauthorized', 'internal', 'unavailable']
    || case when r.scope is not null then array['insufficient_scope'] end
    || case when r.method <> 'GET' then array['outcome_unknown'] end
    || case when strpos(r.path, '{') > 0 then array['not_found'] end
    || case when 'if_match' = any (a.arguments) then array['precondition_failed'] end
    || case
      when 'idempotency_key' = any (a.arguments)
      then array['idempotency_key_reused', 'idempotency_in_progress', 'erased']
    end
    || case
      when 'body' = any (a.arguments)
      then array['invalid_body', 'payload_too_large', 'unsupported_media_type', 'validation_failed']
    end,
    coalesce(o.parameters, '{}'),
    coalesce(o.examples, '{}')
  from api.route as r
  join pg_catalog.pg_proc as f
    -- to_regproc fails for a name of three parts, and before PostgreSQL 16 for any malformed name.
    on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
    and f.prorettype = 'api.answer'::regtype
    and has_function_privilege(session_user, f.oid, 'execute')
  cross join lateral (select coalesce(f.proargnames[:f.pronargs], '{}') as arguments) as a
  left join api.operation as o on o.function = r.function;
end;

comment on function api.operations() is
$$A row for each route whose function the login may execute.

id: the operationId. arguments: the names of the function's arguments. problems: the codes of all errors that the
operation can return, those of api.operation and those that follow from the method, the path and the arguments. The
other columns are those of api.route and api.operation, with the defaults filled in.$$;
-- begin frozen sql/api/operation_parameters.sql
-- api.operation_parameters - the OpenAPI parameters of each operation.
set local role leads_exec;

create or replace function api.operation_parameters()
returns table (operation_id text, parameters text)
language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with argument as (
    select
      o.id as operation_id,
      a.position,
      a.name,
      a.type,
      api.default_text(o.function, a.position::integer) as default_text,
      a.position > p.pronargs - p.pronargdefaults as is_optional,
      coalesce(o.parameters ->> a.name, d.description, obj_description(a.type, 'pg_type')) as description,
      d.example,
      case
        when strpos(o.path, '{' || a.name || '}') > 0 then 'path'
        when a.name in ('if_match', 'idempotency_key') then 'header'
        else 'query'
      end as place,
      format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as base,
      array(
        select pg_get_constraintdef(k.oid) from pg_catalog.pg_constraint as k where k.contypid = a.type order by k.conname
      )
      -- A filter accepts the words that a column of the same name is limited to.
      || array(
        select pg_get_constraintdef(k.oid)
        from api.shape as s
        join pg_catalog.pg_attribute as c on c.attrelid = to_regclass(s.relation) and c.attname = a.name
        join pg_catalog.pg_constraint as k
          on k.conrelid = c.attrelid and k.contype = 'c' and k.conkey = array[c.attnum]
        where s.type = o.answer and pg_get_constraintdef(k.oid) like '%= ANY (ARRAY[%'
        order by k.conname
      ) as checks
    from api.operations() as o
    join pg_catalog.pg_proc as p on p.oid = o.function
    cross join lateral unnest(p.proargtypes::oid[], o.arguments) with ordinality as a (type, name, position)
    join pg_catalog.pg_type as t on t.oid = a.type
    left join api.parameter as d on d.name = a.name
    where a.name not in ('body', 'idempotency_wait')
  ),
  parameter as (
    select
      a.operation_id,
      a.position,
      api.object_text(
        'name', api.json_text(
          case a.name when 'if_match' then 'If-Match' when 'idempotency_key' then 'Idempotency-Key' else a.name end
        ),
        'in', api.json_text(a.place),
        'required', case when a.place = 'path' or not a.is_optional then 'true' end,
        'description', api.json_text(a.description),
        'style', case when a.base = 'text[]' then '"form"' end,
        'explode', case when a.base = 'text[]' then 'false' end,
        'schema', api.value_schema(
          a.type,
          a.checks,
          false,
          true,
          '"default":' || case
            when a.base in ('integer', 'boolean') then a.default_text
            else api.json_text(a.default_text)
          end
        ),
        'examples', '{"default":{"value":' || case
          when a.base = 'text[]' then to_json(string_to_array(a.example, ','))::text
          when a.base = 'integer' and a.example ~ '^-?(0|[1-9][0-9]*)$' then a.example
          when a.base = 'boolean' and a.example in ('true', 'false') then a.example
          else api.json_text(a.example)
        -- x-disabled: the form of the page shows the example, and does not send it by itself.
        end || case when a.is_optional then ',"x-disabled":true' else '' end || '}}'
      ) as text
    from argument as a
    union all
    select
      o.id,
      1000,
      api.object_text(
        'name', '"If-None-Match"',
        'in', '"header"',
        'description', '"The ETag that you have. If the record still has it, the response is 304 without a body."',
        'schema', '{"type":"string"}'
      )
    from api.operations() as o
    where o.method = 'GET' and 'ETag' = any (o.headers)
  )
  select p.operation_id, '[' || string_agg(p.text, ',' order by p.position) || ']'
  from parameter as p
  group by p.operation_id;
end;

comment on function api.operation_parameters() is
  'The parameters of each operation that has any, as a JSON array: from the names, types and defaults of the arguments.';
-- begin frozen sql/api/operation_bodies.sql
-- api.operation_bodies - the OpenAPI request body of each operation that takes one.
set local role leads_exec;

create or replace function api.operation_bodies()
returns table (operation_id text, body text, schema_name text, schema text)
language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with operation as (
    select
      o.id,
      o.method,
      o.request,
      -- A rule is a schema with a name of its own.
      case when o.request is not null and o.rule is not null then o.id || '_body' end as schema_name,
      replace(json_strip_nulls(o.rule)::text, '"$body"', api.schema_reference(o.request)) as schema,
      coalesce(
        (o.examples -> 'request')::text, (select s.example::text from api.shape as s where s.type = o.request)
      ) as example
    from api.operations() as o
    where 'body' = any (o.arguments)
  )
  select
    o.id,
    api.object_text(
      'required', 'true',
      'content', api.object_text(
        'application/json', m.content,
        'application/merge-patch+json', case when o.method = 'PATCH' then m.content end
      )
    ),
    o.schema_name,
    case when o.schema_name is not null then o.schema end
  from operation as o
  cross join lateral (
    select api.object_text(
      'schema', coalesce(api.schema_reference(coalesce(o.schema_name, o.request)), '{"type":"object"}'),
      'example', o.example
    ) as content
  ) as m;
end;

comment on function api.operation_bodies() is
$$The request body of each operation whose function has the argument body.

schema_name, schema: the schema of the operation's rule, with its name as api.schema_name takes it. Null: the body is described by its type.$$;
-- begin frozen sql/api/operation_problems.sql
-- api.operation_problems - the OpenAPI responses for errors, and the errors of each operation.
set local role leads_exec;

create or replace function api.operation_problems()
returns table (operation_id text, status integer, name text, response text)
language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with failure as (
    select o.id as operation_id, p.status, p.code, p.title, p.detail, f.field, f.field_code, f.field_detail
    from api.operations() as o
    join api.problem as p on p.code = any (o.problems) and p.raised_by = p.code
    -- The example of the code names something that the operation accepts.
    left join lateral (
      select x.field, x.field_code, x.detail as field_detail
      from api.problem as x
      left join pg_catalog.pg_attribute as a
        on a.attrelid = to_regclass(o.request) and a.attnum > 0 and a.attname = x.field
      where
        x.code = p.code
        and case p.status when 422 then a.attnum is not null else x.field = any (o.arguments) end
      order by a.attnum, x.raised_by
      limit 1
    ) as f on true
  )
  select
    f.operation_id,
    f.status,
    api.schema_name(string_agg(f.code, '_or_' order by f.code))
    || coalesce('In' || api.schema_name(string_agg(distinct f.field, '_and_')), ''),
    api.object_text(
      'description', api.json_text(string_agg(format('`%s`: %s', f.code, f.detail), E'\n\n' order by f.code)),
      'headers', api.object_text(
        'X-Request-Id', '{"$ref":"#/components/headers/X-Request-Id"}',
        'WWW-Authenticate', case f.status when 401 then '{"$ref":"#/components/headers/WWW-Authenticate"}' end,
        'Retry-After', case f.status when 503 then '{"$ref":"#/components/headers/Retry-After"}' end
      ),
      'content', api.object_text(
        'application/problem+json', api.object_text(
          -- The keywords beside $ref hold too (JSON Schema 2020-12, section 8.2.3.1).
          'schema', '{"$ref":"#/components/schemas/Problem","properties":{"code":{"enum":['
            || string_agg(api.json_text(f.code), ',' order by f.code) || ']}}}',
          'examples', '{' || string_agg(
            api.json_text(f.code) || ':{"value":' || api.object_text(
              'type', api.json_text('/docs#' || f.code),
              'title', api.json_text(f.title),
              'status', f.status::text,
              'detail', api.json_text(f.detail),
              'code', api.json_text(f.code),
              'errors', coalesce(
                '[{"field":' || api.json_text(f.field) || ',"code":' || api.json_text(f.field_code)
                || ',"detail":' || api.json_text(f.field_detail) || '}]',
                '[]'
              ),
              'request_id', '"4f6c1c0e8d3b4a8c9a35c8f2b1d7e640"'
            ) || '}',
            ',' order by f.code
          ) || '}'
        )
      )
    )
  from failure as f
  group by f.operation_id, f.status;
end;

comment on function api.operation_problems() is
$$The error responses of each operation, a row for each status.

name: of the shared response in components/responses: the codes, and the fields that its examples name. response: the
shared response itself.$$;
-- begin frozen sql/api/operation_successes.sql
-- api.operation_successes - the OpenAPI responses for success of each operation.
set local role leads_exec;

create or replace function api.operation_successes()
returns table (operation_id text, status integer, response text, schema_name text, schema text)
language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with operation as (
    select
      o.id, o.method, o.path, o.form, o.statuses, o.headers, o.examples,
      'cursor' = any (o.arguments) as is_paged,
      'idempotency_key' = any (o.arguments) as is_repeatable,
      exists (
        select
        from pg_catalog.pg_attribute as a
        where a.attrelid = to_regclass(o.answer) and a.attname = 'id' and o.form = 'object'
      ) as has_id,
      s.example::text as example,
      coalesce(api.schema_reference(o.answer), '{}') as item,
      -- LeadPage for api.lead_item; a page of api.lead would be LeadWholePage.
      regexp_replace(o.answer, '_item$', '')
      || case when to_regclass(o.answer || '_item') is not null then '_whole' else '' end
      || case o.form when 'page' then '_page' else '_list' end as schema_name
    from api.operations() as o
    left join api.shape as s on s.type = o.answer
  ),
  content as (
    select
      o.*,
      case o.form
        when 'page' then api.object_text(
          'type', '"object"',
          'description', '"One page of a list."',
          'required', '["data","next_cursor"]',
          'properties', api.object_text(
            'data', '{"type":"array","description":"The rows of the page.","items":' || o.item || '}',
            'next_cursor',
              '{"type":["string","null"],"description":"The cursor of the next page; null on the last page."}'
          ),
          'additionalProperties', 'false'
        )
        else api.object_text(
          'type', '"object"',
          'description', '"A list."',
          'required', '["data"]',
          'properties', '{"data":{"type":"array","description":"The rows of the list.","items":' || o.item || '}}',
          'additionalProperties', 'false'
        )
      end as listing,
      case o.form
        -- The example of a list with cursors has a next page. A list without cursors has one page.
        when 'page' then (app.page_answer(array_fill(o.example, array[case when o.is_paged then 2 else 1 end]), 1)).body
        when 'list' then '{"data":[' || o.example || ']}'
        else o.example
      end as form_example
    from operation as o
  )
  select
    c.id,
    s.status,
    api.object_text(
      'description', case s.status when 201 then '"Created."' when 202 then '"Accepted: not finished yet."' else '"OK."' end,
      'headers', (
        select '{' || string_agg(
          api.json_text(h.name) || format(':{"$ref":"#/components/headers/%s"}', h.name), ',' order by h.position
        ) || '}'
        from unnest(
          array['X-Request-Id']
          || case s.status when 202 then array['Retry-After'] else c.headers end
          || case when c.form = 'page' and c.is_paged then array['Link'] end
          || case when c.is_repeatable and s.status <> 202 then array['Idempotency-Replayed'] end
        ) with ordinality as h (name, position)
      ),
      'content', '{"application/json":' || api.object_text(
        'schema', case
          when c.form = 'object' then c.item
          when c.form = 'one_or_list' then
            format('{"anyOf":[%s,%s]}', c.item, coalesce(api.schema_reference(c.schema_name), c.listing))
          else coalesce(api.schema_reference(c.schema_name), c.listing)
        end,
        'example', coalesce((c.examples -> s.status::text)::text, c.form_example)
      ) || '}',
      'links', (
        select '{' || string_agg(api.json_text(l.name) || ':' || l.link, ',' order by l.name) || '}'
        from (
          select
            n.id as name,
            format('{"operationId":"%s","parameters":{"id":"$response.body#/id"}}', n.id) as link
          from operation as n
          where s.status = 201 and c.has_id and starts_with(n.path, c.path || '/{id}')
          union all
          select
            'next_page',
            format('{"operationId":"%s","parameters":{"cursor":"$response.body#/next_cursor"}}', c.id)
          where c.form = 'page' and c.is_paged
        ) as l
      )
    ),
    case when c.form <> 'object' then c.schema_name end,
    case when c.form <> 'object' and c.schema_name is not null then c.listing end
  from content as c
  cross join lateral unnest(c.statuses) as s (status)
  union all
  select
    c.id,
    304,
    api.object_text(
      'description', '"Not modified: the record still has the tag in If-None-Match. There is no body."',
      'headers', '{"ETag":{"$ref":"#/components/headers/ETag"}}'
    ),
    null,
    null
  from content as c
  where c.method = 'GET' and 'ETag' = any (c.headers);
end;

comment on function api.operation_successes() is
$$The responses for success of each operation, a row for each status, and 304 where the response has an ETag.

schema_name, schema: the schema of a page or a list, with its name as api.schema_name takes it. Null: the response is described by its type.$$;
-- begin frozen sql/api/openapi_info.sql
-- api.openapi_info - the info object of the OpenAPI document: title, version, license and guide.
set local role leads_exec;

create or replace function api.openapi_info()
returns text language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  select api.object_text(
    'title', '"Leads API"',
    'summary', api.json_text(
      'Leads of an organization: stored, scored with reasons, pushed to its CRM exactly once, and audited.'
    ),
    'version', api.json_text(api.release_version()),
    'contact', '{"name":"API support","email":"api@example.com"}',
    'license', '{"name":"MIT","identifier":"MIT"}',
    'description', api.json_text(concat_ws(
      E'\n\n',
      (select string_agg(format(E'## %s\n\n%s', g.title, g.body), E'\n\n' order by g.position) from api.guide as g),
      '## Error codes',
      -- The type of a problem is the address of its row in this table.
      (
        select E'| code | status | what to do |\n| --- | --- | --- |\n'
          || string_agg(format('| `%s` | %s | %s |', p.code, p.status, p.detail), E'\n' order by p.status, p.code)
        from api.problem as p
        where p.raised_by = p.code
      )
    ))
  );
end;

comment on function api.openapi_info() is
  'The info object, as JSON text. Its description is the guide (api.guide), with a table of the error codes.';
-- begin frozen sql/api/openapi_headers.sql
-- api.openapi_headers - the response headers that the OpenAPI document describes.
set local role leads_exec;

create or replace function api.openapi_headers()
returns text language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with known (name, description) as (
    values
      ('X-Request-Id', 'The id of the request: yours, or one that the server generated. It is also in the audit log and in the server''s log.'),
      ('ETag', 'The entity tag of the record (RFC 9110, section 8.8.3). Every change gives the record another tag.'),
      ('Location', 'The address of the new record.'),
      ('Link', 'The address of the next page, with rel="next" (RFC 8288). The last page has no Link.'),
      ('Retry-After', 'How many seconds to wait before you send the request again.'),
      ('Idempotency-Replayed', 'true if this is the first response again.'),
      ('WWW-Authenticate', 'Always Bearer.')
  ),
  header as (
    select coalesce(k.name, h.name) as name, k.description
    from known as k
    full join (
      select distinct n.name from api.operations() as o cross join lateral unnest(o.headers) as n (name)
    ) as h on h.name = k.name
  )
  select
    '{' || string_agg(
      api.json_text(h.name)
      || ':' || api.object_text('description', api.json_text(h.description), 'schema', '{"type":"string"}'),
      ',' order by h.name
    ) || '}'
  from header as h;
end;

comment on function api.openapi_headers() is
  'The shared headers, as JSON text: those that the server sends, and those of the documentation of an operation.';
-- begin frozen sql/api/openapi_paths.sql
-- api.openapi_paths - the paths of the OpenAPI document, each with its operations.
set local role leads_exec;

create or replace function api.openapi_paths()
returns text language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with response as (
    select s.operation_id, s.status::text as status, s.response from api.operation_successes() as s
    union all
    select p.operation_id, p.status::text, format('{"$ref":"#/components/responses/%s"}', p.name)
    from api.operation_problems() as p
  ),
  responses as (
    select
      r.operation_id,
      '{' || string_agg(api.json_text(r.status) || ':' || r.response, ',' order by r.status) || '}' as text
    from response as r
    group by r.operation_id
  ),
  operation as (
    select
      o.path,
      coalesce(t.position, 1000) as tag_position,
      array_position(array['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], o.method) as method_position,
      api.json_text(lower(o.method)) || ':' || api.object_text(
        'operationId', api.json_text(o.id),
        'tags', '[' || api.json_text(o.tag) || ']',
        'summary', api.json_text(o.summary),
        'description', api.json_text(concat_ws(
          E'\n\n', o.description, case when o.scope is null then 'No key is needed.' else format('Scope: `%s`.', o.scope) end
        )),
        'security', '[' || coalesce(format('{"key":["%s"]}', o.scope), '') || ']',
        'parameters', p.parameters,
        'requestBody', b.body,
        'responses', r.text
      ) as text
    from api.operations() as o
    join responses as r on r.operation_id = o.id
    left join api.operation_parameters() as p on p.operation_id = o.id
    left join api.operation_bodies() as b on b.operation_id = o.id
    left join api.tag as t on t.name = o.tag
  ),
  path as (
    select
      min(o.tag_position) as tag_position,
      o.path,
      api.json_text(o.path) || ':{' || string_agg(o.text, ',' order by o.method_position) || '}' as text
    from operation as o
    group by o.path
  )
  select '{' || coalesce(string_agg(p.text, ',' order by p.tag_position, p.path collate "C"), '') || '}'
  from path as p;
end;

comment on function api.openapi_paths() is
  'The paths, as JSON text, in the order of the chapters and then of the addresses.';
-- begin frozen sql/api/openapi_schemas.sql
-- api.openapi_schemas - the schemas that the paths of the OpenAPI document refer to.
set local role leads_exec;

create or replace function api.openapi_schemas()
returns text language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with recursive type as (
    select t.oid, t.typrelid
    from api.operations() as o
    cross join lateral (values (o.answer), (o.request)) as n (name)
    join pg_catalog.pg_type as t on t.oid = to_regtype(n.name)
    union
    -- The types of its fields, and of the items of its fields.
    select i.oid, i.typrelid
    from type as u
    join pg_catalog.pg_attribute as a on a.attrelid = u.typrelid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type as f on f.oid = a.atttypid
    join pg_catalog.pg_type as i on i.oid = coalesce(nullif(f.typelem, 0), f.oid) and i.typtype = 'c'
  ),
  schema as (
    select api.schema_name(n.name) as name, api.type_schema(n.name) as text
    from type as u
    cross join lateral (select u.oid::regtype::text) as n (name)
    union
    select api.schema_name(s.schema_name), s.schema from api.operation_successes() as s where s.schema is not null
    union
    select api.schema_name(b.schema_name), b.schema from api.operation_bodies() as b where b.schema is not null
    union
    select n.name, json_strip_nulls(n.schema)::text from api.named_schema as n
    union
    select
      'ProblemCode',
      api.object_text(
        'type', '"string"',
        'description', '"The codes of all errors. The guide explains each."',
        'enum', (select json_agg(c.code order by c.code)::text from (select distinct p.code from api.problem as p) as c)
      )
  )
  select '{' || string_agg(api.json_text(s.name) || ':' || s.text, ',' order by s.name collate "C") || '}'
  from schema as s;
end;

comment on function api.openapi_schemas() is
$$The schemas, as JSON text: of the types that requests and answers show and of those inside them, of pages and lists, of
the bodies with a rule, of api.named_schema, and ProblemCode.$$;
-- begin frozen sql/api/openapi.sql
-- api.openapi - the OpenAPI 3.1 document of the API, made from the catalogue.
set local role leads_exec;

create or replace function api.openapi()
returns text language sql stable security definer
set search_path = pg_catalog, pg_temp set jit = off
-- PostgreSQL 18 would plan the small SQL functions again for each of their many calls.
set plan_cache_mode = force_generic_plan
begin atomic
  select api.object_text(
    'openapi', '"3.1.0"',
    'info', api.openapi_info(),
    'servers', '[{"url":"/api/v1"}]',
    'tags', (
      select '[' || coalesce(string_agg(
        api.object_text('name', api.json_text(t.name), 'description', api.json_text(t.description)), ',' order by t.position
      ), '') || ']'
      from api.tag as t
    ),
    'paths', api.openapi_paths(),
    'components', api.object_text(
      'securitySchemes', '{"key":' || api.object_text(
        'type', '"http"',
        'scheme', '"bearer"',
        'bearerFormat', '"lk_…"',
        'description', api.json_text(
          'A key of one organization. Its scope is read, write or admin; write includes read, and admin includes write.'
        )
      ) || '}',
      'headers', api.openapi_headers(),
      'responses', (
        select '{' || coalesce(string_agg(api.json_text(p.name) || ':' || p.response, ',' order by p.name), '') || '}'
        from (select distinct on (p.name) p.name, p.response from api.operation_problems() as p order by p.name, p.response) as p
      ),
      'schemas', api.openapi_schemas()
    )
  );
end;

comment on function api.openapi() is
$$The OpenAPI document, as JSON text (https://spec.openapis.org/oas/v3.1.0).

It is made from the routes, the signatures and comments of their functions, the constraints on what they accept and
return, and the rows of api.operation. It leaves out a route whose function the login may not execute.$$;

grant execute on function api.openapi() to leads_api;
-- begin frozen sql/api/input_faults.sql
-- api.input_faults - all errors in the values of a request. PostgreSQL stops at the first one.
set local role leads_exec;

create or replace function api.input_faults(names text[], types text[], texts text[])
returns json language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_errors json[] := '{}';
  v_type text;
  v_detail text;
  v_constraint text;
  v_sqlstate text;
begin
  for v_index in 1 .. cardinality(input_faults.names) loop
    select format_type(t.oid, null) into v_type
    from pg_catalog.pg_type as t
    where
      t.oid = to_regtype(input_faults.types[v_index])
      and t.typtype = 'd'
      and t.typnamespace = 'api'::regnamespace;
    begin
      if input_faults.names[v_index] = 'body' then
        perform app.read_object(input_faults.texts[v_index]);
      else
        execute format('select %L::%s', input_faults.texts[v_index], coalesce(v_type, 'text'));
      end if;
    exception
      when sqlstate 'PT400' then
        get stacked diagnostics v_detail = pg_exception_detail;
        v_errors := v_errors || array(select f.fault from json_array_elements(v_detail::json) as f (fault));
      when check_violation or data_exception or statement_too_complex then
        get stacked diagnostics v_constraint = constraint_name, v_sqlstate = returned_sqlstate;
        v_errors := v_errors || array(
          select json_build_object('field', input_faults.names[v_index], 'code', p.field_code, 'detail', p.detail)
          from api.problem as p
          where p.raised_by in (v_constraint, v_sqlstate) and p.status = 400
        );
    end;
  end loop;
  return case when cardinality(v_errors) > 0 then array_to_json(v_errors) end;
end $$;

comment on function api.input_faults(text[], text[], text[]) is
$$The entries for errors: each value that violates the CHECK of its domain, and a body that is not an object. Null: none.

names: the parameters, or body. types: their types; only domains of schema api are checked. texts: the values as text. The
server calls this after it has found an error.$$;

grant execute on function api.input_faults(text[], text[], text[]) to leads_api;
-- begin frozen sql/api/session_faults.sql
-- api.session_faults - checks that the session's login may serve requests.
set local role leads_exec;

create or replace function api.session_faults()
returns setof text language sql stable security definer
begin atomic
  select format('The login "%s" is a superuser, so row-level security doesn''t apply.', r.rolname)
  from pg_catalog.pg_roles as r
  where r.rolname = session_user and r.rolsuper
  union all
  select format('The login "%s" has BYPASSRLS, so row-level security doesn''t apply.', r.rolname)
  from pg_catalog.pg_roles as r
  where r.rolname = session_user and r.rolbypassrls and not r.rolsuper
  union all
  select format('The login "%s" is a member of %s, which owns objects.', session_user, o.rolname)
  from auth.roles() as e
  join pg_catalog.pg_roles as o on o.rolname = e.name
  where
    e.kind in ('owner', 'sealed')
    and pg_has_role(session_user, o.oid, 'member')
    and not exists (select from pg_catalog.pg_roles as s where s.rolname = session_user and s.rolsuper);
end;

comment on function api.session_faults() is
$$A sentence for each reason why the login must not serve requests; no row if it may.

The reasons: it is a superuser, it has BYPASSRLS, or it is a member of a role that owns objects.$$;

grant execute on function api.session_faults() to public;
-- begin frozen sql/api/list_leads.sql
-- api.list_leads - GET /leads.
set local role leads_exec;

create or replace function api.list_leads(
  "limit" api.page_size default 50,
  cursor api.cursor default null,
  pipeline_stage api.any_of default null,
  source api.any_of default null,
  email api.any_of default null,
  start_at timestamptz default null,
  end_at timestamptz default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('read');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_leads.limit + 1;
  v_at timestamptz;
  v_id uuid;
  v_start_at timestamptz := coalesce(list_leads.start_at, '-infinity');
  v_items text[];
begin
  perform app.raise_faults(422, 'validation_failed', app.stage_filter_faults(v_organization_id, list_leads.pipeline_stage));

  select b.created_at, b.id into v_at, v_id from app.page_bound(list_leads.cursor, list_leads.end_at) as b;

  -- One statement for each combination of filters, because each has its own index: a condition such
  -- as (source is null or l.source = source) would prevent its use. Each value is one index scan.
  if list_leads.email is not null then
    v_items := array(
      select row_to_json(app.lead_item(row(p.*)::app.lead_values))::text
      from (select distinct lower(u.value collate "C") as value from unnest(list_leads.email) as u (value)) as e
      cross join lateral (
        select l.*
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.email_key = e.value
          and (list_leads.pipeline_stage is null or l.pipeline_stage = any (list_leads.pipeline_stage))
          and (list_leads.source is null or l.source = any (list_leads.source))
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_leads.pipeline_stage is not null and list_leads.source is not null then
    v_items := array(
      select row_to_json(app.lead_item(row(p.*)::app.lead_values))::text
      from (
        select distinct g.value || '/' || s.value as value
        from unnest(list_leads.pipeline_stage) as g (value)
        cross join unnest(list_leads.source) as s (value)
      ) as f
      cross join lateral (
        select l.*
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.pipeline_stage_and_source = f.value
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_leads.pipeline_stage is not null then
    v_items := array(
      select row_to_json(app.lead_item(row(p.*)::app.lead_values))::text
      from (select distinct u.value from unnest(list_leads.pipeline_stage) as u (value)) as g
      cross join lateral (
        select l.*
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.pipeline_stage = g.value
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_leads.source is not null then
    v_items := array(
      select row_to_json(app.lead_item(row(p.*)::app.lead_values))::text
      from (select distinct u.value from unnest(list_leads.source) as u (value)) as s
      cross join lateral (
        select l.*
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.source = s.value
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  else
    v_items := array(
      select row_to_json(app.lead_item(row(l.*)::app.lead_values))::text
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and (l.created_at, l.id) < (v_at, v_id)
        and l.created_at >= v_start_at
      order by l.created_at desc, l.id desc
      limit v_rows
    );
  end if;

  return app.page_answer(v_items, list_leads.limit);
end $$;

comment on function api.list_leads(api.page_size, api.cursor, api.any_of, api.any_of, api.any_of, timestamptz, timestamptz) is
$$List leads, newest first.

The order is created_at, then id, both descending. Filters match exact values. Several values, separated by commas,
match any of them. An unknown stage is an error (422). email ignores the case of A to Z. start_at is inclusive, end_at
exclusive. The pages contain every lead that existed when you requested the first page exactly once. Rows do not become
visible in the order of created_at: if you poll with start_at, request an overlap of some minutes and drop duplicates by
id.$$;

grant execute on function
  api.list_leads(api.page_size, api.cursor, api.any_of, api.any_of, api.any_of, timestamptz, timestamptz)
to leads_api;

set local role leads_owner;
call api.document(
  'api.list_leads', tag => 'Leads', answer => 'api.lead_item', problems => '{validation_failed}'
);
-- begin frozen sql/api/create_lead.sql
-- api.create_lead - POST /leads.
set local role leads_exec;

create or replace function api.create_lead(
  body text,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(create_lead.body);
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, create_lead.idempotency_key, create_lead.idempotency_wait,
    'POST /leads' || chr(10) || create_lead.body
  );
  v_lead app.lead_values;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  perform app.raise_faults(422, 'validation_failed', (
    with fault as (
      select json_array_elements(app.lead_faults(v_organization_id, v_fields)) as fault
      union all
      select json_array_elements(app.contact_fault())
      where v_fields ->> 'email' is null and (v_fields ->> 'name' is null or v_fields ->> 'company' is null)
    )
    select json_agg(f.fault) from fault as f
  ));

  v_lead := app.lead_from(v_fields, null);
  insert into app.lead (
    organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning
  )
  values (
    v_organization_id, v_lead.name, v_lead.company, v_lead.email, v_lead.source, coalesce(v_lead.lead_score, 0),
    coalesce(v_lead.pipeline_stage, 'new'), v_lead.industry, v_lead.company_size, v_lead.pain_points, v_lead.timeline,
    v_lead.budget_range, v_lead.ai_reasoning
  )
  returning * into v_lead;
  perform crm.wake_worker(v_organization_id, v_lead.id);

  v_answer := row(
    201,
    json_build_object('Location', '/api/v1/leads/' || v_lead.id, 'ETag', app.lead_etag(v_lead.revision)),
    row_to_json(app.lead_item(v_lead))::text
  );
  if create_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, create_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

comment on function api.create_lead(text, api.idempotency_key, integer) is
$$Create a lead.

A lead needs an email, or a name and a company. The default of lead_score is 0, that of pipeline_stage is "new". White
space at the ends of a text is removed. Two leads can have the same address: the API does not merge them. The response
has the 12 fields that a list shows.$$;

grant execute on function api.create_lead(text, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.create_lead',
  tag => 'Leads',
  request => 'api.lead_input',
  rule => '{
    "description": "A new lead, with an email, or a name and a company.",
    "allOf": [
      "$body",
      {
        "anyOf": [
          {"required": ["email"], "properties": {"email": {"type": "string"}}},
          {
            "required": ["name", "company"],
            "properties": {"name": {"type": "string"}, "company": {"type": "string"}}
          }
        ]
      }
    ]
  }',
  answer => 'api.lead_item',
  statuses => '{201}',
  headers => '{Location,ETag}',
  examples => '{"201": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "website", "lead_score": 0, "pipeline_stage": "new", "industry": "residential", "company_size": null, "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:05.114Z"}}'
);
-- begin frozen sql/api/get_lead.sql
-- api.get_lead - GET /leads/{id}.
set local role leads_exec;

create or replace function api.get_lead(id uuid)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_answer api.answer;
begin
  select
    200,
    json_build_object('ETag', app.lead_etag(l.revision)),
    row_to_json(app.lead_whole(row(l.*)::app.lead_values))::text
  into v_answer
  from app.lead as l
  where l.organization_id = (select auth.organization_id('read')) and l.id = get_lead.id;
  if not found then
    return null;
  end if;
  return v_answer;
end $$;

comment on function api.get_lead(uuid) is
$$Get a lead.

The response has all 17 fields. A lead of another organization returns 404, as if it did not exist.$$;

grant execute on function api.get_lead(uuid) to leads_api;

set local role leads_owner;
call api.document('api.get_lead', tag => 'Leads', answer => 'api.lead', headers => '{ETag}');
-- begin frozen sql/api/update_lead.sql
-- api.update_lead - PATCH /leads/{id}.
set local role leads_exec;

create or replace function api.update_lead(id uuid, body text, if_match api.entity_tags default null)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(update_lead.body);
  v_old app.lead_values;
  v_new app.lead_values;
begin
  perform app.raise_faults(422, 'validation_failed', app.lead_faults(v_organization_id, v_fields));

  -- Locked before the tag is compared: of ten that race with one tag, one wins.
  select l.* into v_old
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = update_lead.id
  for no key update;
  if not found then
    return null;
  end if;
  if not app.is_etag_matched(update_lead.if_match, app.lead_etag(v_old.revision)) then
    raise sqlstate 'PT412' using message = 'precondition_failed';
  end if;

  v_new := app.lead_from(v_fields, v_old);
  if v_new.email is null and (v_new.name is null or v_new.company is null) then
    perform app.raise_faults(422, 'validation_failed', app.contact_fault());
  end if;

  -- A patch that changes nothing writes nothing.
  if v_new is distinct from v_old then
    update app.lead as l
    set
      name = v_new.name,
      company = v_new.company,
      email = v_new.email,
      source = v_new.source,
      lead_score = v_new.lead_score,
      pipeline_stage = v_new.pipeline_stage,
      industry = v_new.industry,
      company_size = v_new.company_size,
      pain_points = v_new.pain_points,
      timeline = v_new.timeline,
      budget_range = v_new.budget_range,
      ai_reasoning = v_new.ai_reasoning
    where l.organization_id = v_organization_id and l.id = update_lead.id
    returning l.* into v_new;
  end if;
  if v_new.pipeline_stage <> v_old.pipeline_stage then
    perform crm.wake_worker(v_organization_id, update_lead.id);
  end if;

  return row(
    200,
    json_build_object('ETag', app.lead_etag(v_new.revision)),
    row_to_json(app.lead_change(v_new))::text
  );
end $$;

comment on function api.update_lead(uuid, text, api.entity_tags) is
$$Change a lead.

The body is a JSON merge patch (RFC 7396): a field that you leave out keeps its value, and null clears it. pipeline_stage
and lead_score cannot be null. After the change the lead must still have an email, or a name and a company. A patch that
changes nothing writes nothing. With If-Match, the change is made only if the lead still has that tag; otherwise the
response is 412. The audit log records each change as lead.updated. The response has nine of the lead's fields.$$;

grant execute on function api.update_lead(uuid, text, api.entity_tags) to leads_api;

set local role leads_owner;
call api.document(
  'api.update_lead',
  tag => 'Leads',
  request => 'api.lead_input',
  answer => 'api.lead_change',
  headers => '{ETag}',
  examples => '{"request": {"pipeline_stage": "won", "lead_score": 92}}'
);
-- begin frozen sql/api/create_signals.sql
-- api.create_signals - POST /leads/{id}/signals.
set local role leads_exec;

create or replace function api.create_signals(
  id uuid,
  body text,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(create_signals.body);
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, create_signals.idempotency_key, create_signals.idempotency_wait,
    concat('POST /leads/', create_signals.id, '/signals', chr(10), create_signals.body)
  );
  v_is_batch boolean := v_fields ? 'signals';
  v_ids uuid[];
  v_items text[];
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  perform app.raise_faults(422, 'validation_failed', scoring.signal_faults(v_fields));

  -- Locked, or an erasure could come between, and what this answers be kept behind it.
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = create_signals.id for key share;
  if not found then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;

  v_fields := case when v_is_batch then v_fields -> 'signals' else jsonb_build_array(v_fields) end;
  -- Ids in the order that they were sent in, which is that of a page.
  v_ids := array(select app.new_id() from generate_series(1, jsonb_array_length(v_fields)));

  with sent as (
    select
      v_ids[s.ordinality] as id,
      s.signal ->> 'type' as type,
      coalesce(s.signal -> 'value', 'true') as value,
      coalesce(app.read_instant(s.signal ->> 'observed_at'), date_trunc('milliseconds', now())) as observed_at,
      app.trim_text(s.signal ->> 'dedupe_key') as dedupe_key
    from jsonb_array_elements(v_fields) with ordinality as s (signal, ordinality)
  )
  insert into scoring.signal (id, organization_id, lead_id, type, value, observed_at, dedupe_key)
  select s.id, v_organization_id, create_signals.id, s.type, s.value, s.observed_at, s.dedupe_key
  from sent as s
  -- Two batches with the same keys wait for each other in one order, and so for no deadlock.
  order by s.dedupe_key, s.id
  on conflict (organization_id, lead_id, dedupe_key) do nothing;

  -- Where a key was there already, the first signal under it.
  v_items := array(
    select row_to_json(scoring.signal_item(
      i.id, i.organization_id, i.lead_id, i.type, i.value, i.observed_at, i.dedupe_key, i.created_at
    ))::text
    from jsonb_array_elements(v_fields) with ordinality as s (signal, ordinality)
    cross join lateral (
      select i.*
      from scoring.signal as i
      where i.organization_id = v_organization_id and i.id = v_ids[s.ordinality]
      union all
      select i.*
      from scoring.signal as i
      where
        i.organization_id = v_organization_id
        and i.lead_id = create_signals.id
        and i.dedupe_key = app.trim_text(s.signal ->> 'dedupe_key')
        and i.id <> v_ids[s.ordinality]
    ) as i
    order by s.ordinality
  );

  if (
    select m.document -> 'rescore_on_signal' = 'true' and exists (
      select
      from scoring.signal as i
      join jsonb_array_elements(m.document -> 'rules') as r (rule) on r.rule ->> 'signal' = i.type
      where i.organization_id = v_organization_id and i.id = any (v_ids)
    )
    from scoring.model_in_force(v_organization_id) as m
  ) then
    perform scoring.score_lead(v_organization_id, create_signals.id);
  end if;

  v_answer := row(
    201,
    null,
    case when v_is_batch then '{"data":[' || array_to_string(v_items, ',') || ']}' else v_items[1] end
  );
  if create_signals.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, create_signals.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

comment on function api.create_signals(uuid, text, api.idempotency_key, integer) is
$$Add signals to a lead.

The body is a signal, or {"signals": […]} with up to 200 signals. Either all are added, or none. type is a machine name.
value is true, false, null, a number, a text, or a flat object of these; the default is true. The default of observed_at
is now, and it can be in the past. If the lead already has a signal with the same dedupe_key, nothing is added, and the
response has that first signal. Only the latest signal of each type counts for the score (by observed_at, then id);
false and null do not count. If the organization's scoring model says so and uses such a signal, the lead is scored
again at once.$$;

grant execute on function api.create_signals(uuid, text, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.create_signals',
  tag => 'Scoring',
  request => 'api.signal_input',
  rule => '{
    "description": "One signal, or several.",
    "oneOf": ["$body", {"$ref": "#/components/schemas/SignalBatch"}]
  }',
  answer => 'api.signal',
  form => 'one_or_list',
  statuses => '{201}'
);
-- begin frozen sql/api/list_signals.sql
-- api.list_signals - GET /leads/{id}/signals.
set local role leads_exec;

create or replace function api.list_signals(
  id uuid,
  "limit" api.page_size default 50,
  cursor api.cursor default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('read');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_signals.limit + 1;
  v_at timestamptz;
  v_id uuid;
begin
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = list_signals.id;
  if not found then
    return null;
  end if;

  select b.created_at, b.id into v_at, v_id from app.page_bound(list_signals.cursor, null) as b;
  return app.page_answer(
    array(
      select row_to_json(scoring.signal_item(
        s.id, s.organization_id, s.lead_id, s.type, s.value, s.observed_at, s.dedupe_key, s.created_at
      ))::text
      from scoring.signal as s
      where
        s.organization_id = v_organization_id
        and s.lead_id = list_signals.id
        and (s.created_at, s.id) < (v_at, v_id)
      order by s.created_at desc, s.id desc
      limit v_rows
    ),
    list_signals.limit
  );
end $$;

comment on function api.list_signals(uuid, api.page_size, api.cursor) is
$$List the signals of a lead, newest first.

The order is created_at, then id, both descending.$$;

grant execute on function api.list_signals(uuid, api.page_size, api.cursor) to leads_api;

set local role leads_owner;
call api.document('api.list_signals', tag => 'Scoring', answer => 'api.signal');
-- begin frozen sql/api/score_lead.sql
-- api.score_lead - POST /leads/{id}/score.
set local role leads_exec;

create or replace function api.score_lead(
  id uuid,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, score_lead.idempotency_key, score_lead.idempotency_wait,
    concat('POST /leads/', score_lead.id, '/score')
  );
  v_score api.new_score;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  v_score := scoring.score_lead(v_organization_id, score_lead.id);
  if v_score.id is null then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;

  select
    200,
    json_build_object('ETag', app.lead_etag(l.revision)),
    row_to_json(v_score)::text
  into v_answer
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = score_lead.id;
  if score_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, score_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

comment on function api.score_lead(uuid, api.idempotency_key, integer) is
$$Score a lead.

The organization's scoring model, or the default model, computes the score from the latest signal of each type. The API
writes lead_score and ai_reasoning: the reasons with their contributions, strongest first. They stay until the next
score, or until someone changes them. The history keeps each score, and the audit log records lead.scored. A body is
ignored.$$;

grant execute on function api.score_lead(uuid, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document('api.score_lead', tag => 'Scoring', answer => 'api.new_score', headers => '{ETag}');
-- begin frozen sql/api/list_scores.sql
-- api.list_scores - GET /leads/{id}/scores.
set local role leads_exec;

create or replace function api.list_scores(
  id uuid,
  "limit" api.page_size default 50,
  cursor api.cursor default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('read');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_scores.limit + 1;
  v_at timestamptz;
  v_id uuid;
begin
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = list_scores.id;
  if not found then
    return null;
  end if;

  select b.created_at, b.id into v_at, v_id from app.page_bound(list_scores.cursor, null) as b;
  return app.page_answer(
    array(
      select row_to_json(
        row(
          s.id, s.organization_id, s.lead_id, s.kind, s.lead_score, s.ai_reasoning, s.model, s.model_version, s.base,
          s.contributions, app.utc_text(s.created_at)
        )::api.score
      )::text
      from scoring.score as s
      where
        s.organization_id = v_organization_id
        and s.lead_id = list_scores.id
        and (s.created_at, s.id) < (v_at, v_id)
      order by s.created_at desc, s.id desc
      limit v_rows
    ),
    list_scores.limit
  );
end $$;

comment on function api.list_scores(uuid, api.page_size, api.cursor) is
$$List the history of a lead's score, newest first.

kind is scored or set. scored: a model computed the score; model is own or default, and the entry has the version of the
model, its base, and the contributions. set: someone wrote the score to the lead, over the API or in SQL; the other
fields are null.$$;

grant execute on function api.list_scores(uuid, api.page_size, api.cursor) to leads_api;

set local role leads_owner;
call api.document('api.list_scores', tag => 'Scoring', answer => 'api.score');
-- begin frozen sql/api/push_lead.sql
-- api.push_lead - POST /leads/{id}/push-to-crm.
set local role leads_exec;

create or replace function api.push_lead(
  id uuid,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_sync crm.sync_values;
begin
  -- The key only prevents its use for another request: the answer isn't stored.
  perform app.claim_idempotency_key(
    v_organization_id, push_lead.idempotency_key, push_lead.idempotency_wait,
    concat('POST /leads/', push_lead.id, '/push-to-crm')
  );

  -- Locked, or an erasure could come between, and what this answers be kept behind it.
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = push_lead.id for key share;
  if not found then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;

  v_sync := crm.request_push(v_organization_id, push_lead.id, true);
  if v_sync.id is null then
    raise sqlstate 'PT409' using message = 'crm_not_configured';
  end if;
  perform crm.wake_worker(v_organization_id, push_lead.id);
  return crm.push_answer(push_lead.id, v_sync);
end $$;

comment on function api.push_lead(uuid, api.idempotency_key, integer) is
$$Push a lead to the CRM.

Use this if the automatic push at the change of the stage failed or was skipped. If the lead already has a record, the
response has the same external_id, and the CRM is not called. Otherwise the push begins, and the API waits up to 10
seconds for the result: 200 with the external_id, or 202 with the status pending while the push continues (Retry-After
says when to ask again). 502 crm_rejected has the reason of the CRM. If the outcome of an earlier push is unknown,
nothing is sent, and the response is 409 crm_outcome_unknown until an operator has checked the CRM. A body is ignored.$$;

grant execute on function api.push_lead(uuid, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.push_lead',
  tag => 'CRM',
  answer => 'api.lead_sync',
  statuses => '{200,202}',
  problems => '{validation_failed,crm_not_configured,crm_outcome_unknown,crm_rejected,crm_unavailable}',
  examples => '{"202": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "crm_sync": {"vendor": "jobnimbus", "external_id": null, "status": "pending", "last_synced_at": null}}}'
);
-- begin frozen sql/api/get_push.sql
-- api.get_push - the state of the push that POST /leads/{id}/push-to-crm began.
set local role leads_exec;

create or replace function api.get_push(id uuid)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_sync crm.sync_values := crm.sync_in_force(auth.organization_id('write'), get_push.id);
begin
  if v_sync.id is null then
    return null;
  end if;
  return crm.push_answer(get_push.id, v_sync);
end $$;

comment on function api.get_push(uuid) is
$$Get the state of a push that is in progress.

The response is that of api.push_lead, but no push begins. The server calls this function while a client waits.$$;

grant execute on function api.get_push(uuid) to leads_api;
-- begin frozen sql/api/get_crm_sync.sql
-- api.get_crm_sync - GET /leads/{id}/crm-sync.
set local role leads_exec;

create or replace function api.get_crm_sync(id uuid)
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    null,
    row_to_json(crm.sync_item(l.id, crm.sync_in_force(l.organization_id, l.id)))::text
  )::api.answer
  from app.lead as l
  where l.organization_id = (select auth.organization_id('read')) and l.id = get_crm_sync.id;
end;

comment on function api.get_crm_sync(uuid) is
$$Get the state of a lead's push.

crm_sync is null if the lead was never pushed. status is pending, in_progress, ok, failed or skipped. A push is skipped
if the connection was paused when the lead entered the stage, or if the lead did not have what the CRM requires. The
audit log has the reason why a push failed: lead.crm_push_failed.$$;

grant execute on function api.get_crm_sync(uuid) to leads_api;

set local role leads_owner;
call api.document('api.get_crm_sync', tag => 'CRM', answer => 'api.lead_sync');
-- begin frozen sql/api/list_crm_connections.sql
-- api.list_crm_connections - GET /crm-connections.
set local role leads_exec;

create or replace function api.list_crm_connections()
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    null,
    concat(
      '{"data":[',
      string_agg(
        row_to_json(
          row(
            c.id, c.organization_id, c.vendor, c.account, c.state, c.fault, c.push_stage, c.settle_seconds, c.settings::json,
            app.utc_text(c.created_at)
          )::api.crm_connection
        )::text,
        ','
      ),
      '],"next_cursor":null}'
    )
  )::api.answer
  from crm.connection as c
  where c.organization_id = (select auth.organization_id('admin'));
end;

comment on function api.list_crm_connections() is
$$List the CRM connections.

An organization has at most one connection. state is active or paused. fault says why, if the CRM rejected the
credential. The credential itself is never shown. An operator creates, pauses and removes connections.$$;

grant execute on function api.list_crm_connections() to leads_api;

set local role leads_owner;
call api.document('api.list_crm_connections', tag => 'CRM', answer => 'api.crm_connection', form => 'page');
-- begin frozen sql/api/list_audit_events.sql
-- api.list_audit_events - GET /audit-log.
set local role leads_exec;

create or replace function api.list_audit_events(
  "limit" api.page_size default 50,
  cursor api.cursor default null,
  action api.any_of default null,
  source api.any_of default null,
  lead_id uuid default null,
  start_at timestamptz default null,
  end_at timestamptz default null
)
returns api.answer language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few rows, and would sort all partitions.
set enable_sort = off
as $$
declare
  v_organization_id uuid := auth.organization_id('read');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_audit_events.limit + 1;
  v_at timestamptz;
  v_id uuid;
  v_start_at timestamptz := coalesce(list_audit_events.start_at, '-infinity');
  v_sources text[] := array['api', 'sql', 'worker', 'system'];
  v_items text[];
begin
  perform app.raise_faults(422, 'validation_failed', (
    select json_agg(json_build_object(
      'field', 'source', 'code', 'unknown_source', 'detail', 'The sources are api, sql, worker and system.'
    ))
    where not list_audit_events.source <@ v_sources
  ));

  select b.created_at, b.id into v_at, v_id
  from app.page_bound(list_audit_events.cursor, list_audit_events.end_at) as b;

  -- One statement for each combination of filters, because each has its own index.
  if list_audit_events.lead_id is not null then
    v_items := array(
      select row_to_json(audit.event_item(
        e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at
      ))::text
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id = list_audit_events.lead_id
        and (list_audit_events.action is null or e.action = any (list_audit_events.action))
        and (list_audit_events.source is null or e.source = any (list_audit_events.source))
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  elsif list_audit_events.action is not null then
    v_items := array(
      select row_to_json(audit.event_item(
        p.id, p.organization_id, p.action, p.source, p.correlation_id, p.payload, p.created_at
      ))::text
      from (
        select distinct a.value || '/' || s.value as value
        from unnest(list_audit_events.action) as a (value)
        cross join unnest(coalesce(list_audit_events.source, v_sources)) as s (value)
      ) as f
      cross join lateral (
        select e.*
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.action_and_source = f.value
          and (e.created_at, e.id) < (v_at, v_id)
          and e.created_at >= v_start_at
        order by e.created_at desc, e.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_audit_events.source is not null then
    v_items := array(
      select row_to_json(audit.event_item(
        p.id, p.organization_id, p.action, p.source, p.correlation_id, p.payload, p.created_at
      ))::text
      from (select distinct u.value from unnest(list_audit_events.source) as u (value)) as s
      cross join lateral (
        select e.*
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.source = s.value
          and (e.created_at, e.id) < (v_at, v_id)
          and e.created_at >= v_start_at
        order by e.created_at desc, e.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  else
    v_items := array(
      select row_to_json(audit.event_item(
        e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at
      ))::text
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  end if;

  return app.page_answer(v_items, list_audit_events.limit);
end $$;

comment on function api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz) is
$$List the audit log, newest first.

The log has every change of the organization's records: over the API, in SQL, by a worker or by the system. Filters
match exact values. Several values, separated by commas, match any of them. start_at is inclusive, end_at exclusive.
Actions:
lead.created, lead.updated, lead.scored, lead.deleted, lead.erased; lead.crm_push_requested, lead.crm_pushed,
lead.crm_push_failed, lead.crm_push_skipped; crm_connection.created, crm_connection.updated, crm_connection.deleted; crm_sync.updated,
crm_sync.deleted; signal.created, signal.updated, signal.deleted; score.deleted; scoring_model.created,
scoring_model.updated, scoring_model.deleted; api_key.created, api_key.rotated, api_key.updated, api_key.revoked,
api_key.deleted; analyst.created, analyst.updated, analyst.deleted; organization.created, organization.updated,
organization.deleted, organization.erased; pipeline_stage.created, pipeline_stage.updated, pipeline_stage.deleted.$$;

grant execute on function
  api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz)
to leads_api;

set local role leads_owner;
call api.document(
  'api.list_audit_events', tag => 'Audit log', answer => 'api.audit_event', problems => '{validation_failed}'
);
-- begin frozen sql/api/get_audit_event.sql
-- api.get_audit_event - GET /audit-log/{id}.
set local role leads_exec;

create or replace function api.get_audit_event(id uuid)
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    json_build_object('ETag', audit.event_etag(e.payload_digest, e.salt)),
    row_to_json(audit.event_item(
      e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at
    ))::text
  )::api.answer
  from audit.event as e
  where
    e.organization_id = (select auth.organization_id('read'))
    and e.id = get_audit_event.id
    -- The id tells the partition.
    and e.created_at = app.id_time(get_audit_event.id);
end;

comment on function api.get_audit_event(uuid) is
$$Get an event of the audit log.

An event of another organization returns 404, as if it did not exist.$$;

grant execute on function api.get_audit_event(uuid) to leads_api;

set local role leads_owner;
call api.document(
  'api.get_audit_event', tag => 'Audit log', answer => 'api.audit_event', headers => '{ETag}'
);
-- begin frozen sql/api/verify_audit_log.sql
-- api.verify_audit_log - GET /audit-log/verify.
set local role leads_exec;

create or replace function api.verify_audit_log(
  after api.seal_position default '0',
  "limit" api.seal_count default 1000,
  head api.chain_head default null
)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
begin
  return row(
    200,
    null,
    row_to_json(
      audit.chain_verdict(
        v_organization_id, verify_audit_log.after::bigint, verify_audit_log.limit, verify_audit_log.head
      )
    )::text
  )::api.answer;
end $$;

comment on function api.verify_audit_log(api.seal_position, api.seal_count, api.chain_head) is
$$Verify the audit log.

Within about a second, each event is sealed with a hash of itself and of all events before it. This request verifies up
to limit seals after a position, and returns the first event that does not match its seal. Repeat it with next_after
until next_after is null. Keep head in another system: if you send it later, the API detects a log that was truncated or
rewritten, even by a database administrator.$$;

grant execute on function api.verify_audit_log(api.seal_position, api.seal_count, api.chain_head) to leads_api;

set local role leads_owner;
call api.document('api.verify_audit_log', tag => 'Audit log', answer => 'api.chain_verdict');
-- begin frozen sql/api/get_health.sql
-- api.get_health - GET /health.
set local role leads_exec;

create or replace function api.get_health()
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    null,
    row_to_json(row('ok', o.organization_id, o.environment, (select auth.key_scopes()))::api.health)::text
  )::api.answer
  from app.organization as o
  where o.organization_id = (select auth.organization_id('read'));
end;

comment on function api.get_health() is
$$Check a key.

The response has the organization that the key belongs to, its environment (live or test), and the scopes of the key.$$;

grant execute on function api.get_health() to leads_api;

set local role leads_owner;
call api.document('api.get_health', tag => 'Organization', answer => 'api.health');
-- begin frozen sql/api/get_organization.sql
-- api.get_organization - GET /organizations/me.
set local role leads_exec;

create or replace function api.get_organization()
returns api.answer language sql stable security definer
begin atomic
  select row(
    200,
    null,
    row_to_json(
      row(
        o.organization_id,
        o.name,
        o.environment,
        array(
          select s.name
          from app.pipeline_stage as s
          where s.organization_id = o.organization_id
          order by s.position, s.name
        ),
        app.utc_text(o.created_at)
      )::api.organization
    )::text
  )::api.answer
  from app.organization as o
  where o.organization_id = (select auth.organization_id('read'));
end;

comment on function api.get_organization() is
$$Get the organization.

The response has the organization that the key belongs to, with its pipeline stages in their order.$$;

grant execute on function api.get_organization() to leads_api;

set local role leads_owner;
call api.document('api.get_organization', tag => 'Organization', answer => 'api.organization');
-- begin frozen sql/api/route.rows.sql
-- api.route - the routes: a line for each endpoint.
set local role leads_owner;
delete from api.route;

insert into api.route (method, path, function, scope)
values
  ('GET', '/leads', 'api.list_leads', 'read'),
  ('POST', '/leads', 'api.create_lead', 'write'),
  ('GET', '/leads/{id}', 'api.get_lead', 'read'),
  ('PATCH', '/leads/{id}', 'api.update_lead', 'write'),
  ('GET', '/leads/{id}/signals', 'api.list_signals', 'read'),
  ('POST', '/leads/{id}/signals', 'api.create_signals', 'write'),
  ('POST', '/leads/{id}/score', 'api.score_lead', 'write'),
  ('GET', '/leads/{id}/scores', 'api.list_scores', 'read'),
  ('GET', '/leads/{id}/crm-sync', 'api.get_crm_sync', 'read'),
  ('GET', '/crm-connections', 'api.list_crm_connections', 'admin'),
  ('GET', '/audit-log', 'api.list_audit_events', 'read'),
  ('GET', '/audit-log/{id}', 'api.get_audit_event', 'read'),
  ('GET', '/audit-log/verify', 'api.verify_audit_log', 'admin'),
  ('GET', '/organizations/me', 'api.get_organization', 'read'),
  ('GET', '/health', 'api.get_health', 'read');

-- The worker makes the answer. A client that waits for it holds no database connection.
insert into api.route (method, path, function, scope, wait_seconds, wait_function)
values
  ('POST', '/leads/{id}/push-to-crm', 'api.push_lead', 'write', 10, 'api.get_push');

-- Servers read the routes and the functions' signatures again when this is committed.
notify leads_routes;
-- end frozen

set local role leads_owner;
revoke create on schema api from leads_exec;
reset role;
