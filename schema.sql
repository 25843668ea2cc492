CREATE SCHEMA admin;

ALTER SCHEMA admin OWNER TO leads_owner;

COMMENT ON SCHEMA admin IS 'Functions for operators: the command line calls them.';

CREATE SCHEMA api;

ALTER SCHEMA api OWNER TO leads_owner;

COMMENT ON SCHEMA api IS 'The API: the functions that requests call, the routes, the errors and the reference.';

CREATE SCHEMA app;

ALTER SCHEMA app OWNER TO leads_owner;

COMMENT ON SCHEMA app IS 'Leads and their rules.';

CREATE SCHEMA audit;

ALTER SCHEMA audit OWNER TO leads_owner;

COMMENT ON SCHEMA audit IS 'The append-only log of every change, and its chain of hashes.';

CREATE SCHEMA auth;

ALTER SCHEMA auth OWNER TO leads_owner;

COMMENT ON SCHEMA auth IS 'API keys, analysts'' logins, and the functions that prove who makes a request.';

CREATE SCHEMA bi;

ALTER SCHEMA bi OWNER TO leads_owner;

COMMENT ON SCHEMA bi IS 'Views for analysts. Each shows the rows of the analyst''s organization only.';

CREATE SCHEMA crm;

ALTER SCHEMA crm OWNER TO leads_owner;

COMMENT ON SCHEMA crm IS 'Pushes leads to a CRM exactly once.';

CREATE SCHEMA intake;

ALTER SCHEMA intake OWNER TO leads_owner;

COMMENT ON SCHEMA intake IS 'Forms: addresses to which web pages and other services send leads, and what they have sent.';

CREATE SCHEMA scoring;

ALTER SCHEMA scoring OWNER TO leads_owner;

COMMENT ON SCHEMA scoring IS 'Signals, scoring models, and the history of scores.';

CREATE TYPE api.answer AS (
	status integer,
	headers json,
	body text
);

ALTER TYPE api.answer OWNER TO leads_owner;

COMMENT ON TYPE api.answer IS 'The result of a route''s function: the HTTP status, headers by name, and the body as JSON text.';

COMMENT ON COLUMN api.answer.status IS 'The HTTP status.';

COMMENT ON COLUMN api.answer.headers IS 'Headers, by name.';

COMMENT ON COLUMN api.answer.body IS 'The body, as JSON text.';

CREATE DOMAIN api.any_of AS text[]
	CONSTRAINT any_of_has_at_most_10_values CHECK ((cardinality(VALUE) <= 10));

ALTER DOMAIN api.any_of OWNER TO leads_owner;

COMMENT ON DOMAIN api.any_of IS 'Up to 10 values, separated by commas. A row matches if it has any of them.';

CREATE DOMAIN api.utc_time AS text;

ALTER DOMAIN api.utc_time OWNER TO leads_owner;

COMMENT ON DOMAIN api.utc_time IS 'A time in UTC with milliseconds (RFC 3339), such as 2026-04-27T13:22:05.114Z.';

CREATE TYPE api.audit_event AS (
	id uuid,
	organization_id uuid,
	action text,
	source text,
	correlation_id text,
	payload json,
	created_at api.utc_time
);

ALTER TYPE api.audit_event OWNER TO leads_owner;

COMMENT ON TYPE api.audit_event IS 'An event of the audit log.';

COMMENT ON COLUMN api.audit_event.id IS 'The event''s id, a UUID of version 7.';

COMMENT ON COLUMN api.audit_event.organization_id IS 'The organization''s id.';

COMMENT ON COLUMN api.audit_event.action IS 'What happened, such as lead.updated.';

COMMENT ON COLUMN api.audit_event.source IS 'The origin of the change: the API, SQL, a worker, or the system.';

COMMENT ON COLUMN api.audit_event.correlation_id IS 'The X-Request-Id of the request that made the change; null outside requests.';

COMMENT ON COLUMN api.audit_event.payload IS 'What changed. For a lead, diff has {"from": …, "to": …} for each field. key_id is the id of the key that made the change; if it is null, role is the database login.';

COMMENT ON COLUMN api.audit_event.created_at IS 'When the change was made.';

CREATE TYPE api.chain_fault AS (
	"position" bigint,
	event_id uuid,
	code text,
	detail text
);

ALTER TYPE api.chain_fault OWNER TO leads_owner;

COMMENT ON TYPE api.chain_fault IS 'The first event of the audit log that does not match its seal.';

COMMENT ON COLUMN api.chain_fault."position" IS 'The position of the event in the chain; null if it has none.';

COMMENT ON COLUMN api.chain_fault.event_id IS 'The id of the event; null if the seal that names it is missing.';

COMMENT ON COLUMN api.chain_fault.code IS 'What is wrong, as a stable word.';

COMMENT ON COLUMN api.chain_fault.detail IS 'What is wrong, in a sentence.';

CREATE DOMAIN api.chain_head AS text
	CONSTRAINT chain_head_is_position_and_hash CHECK (((VALUE COLLATE "C") ~ '^[1-9][0-9]{0,17}:[0-9a-f]{64}$'::text));

ALTER DOMAIN api.chain_head OWNER TO leads_owner;

COMMENT ON DOMAIN api.chain_head IS 'The head of a chain at an earlier time: a position, a colon, and the hash in 64 hexadecimal digits.';

CREATE TYPE api.chain_verdict AS (
	organization_id uuid,
	holds boolean,
	fault api.chain_fault,
	verified_from bigint,
	verified_to bigint,
	next_after text,
	head text,
	unsealed bigint
);

ALTER TYPE api.chain_verdict OWNER TO leads_owner;

COMMENT ON TYPE api.chain_verdict IS 'The result of verifying a part of the audit log.';

COMMENT ON COLUMN api.chain_verdict.organization_id IS 'The organization''s id.';

COMMENT ON COLUMN api.chain_verdict.holds IS 'Whether every event that was verified matches its seal.';

COMMENT ON COLUMN api.chain_verdict.fault IS 'The first event that does not match; null if all match.';

COMMENT ON COLUMN api.chain_verdict.verified_from IS 'The first position that was requested.';

COMMENT ON COLUMN api.chain_verdict.verified_to IS 'The last position that was verified. It is less than verified_from if nothing was verified.';

COMMENT ON COLUMN api.chain_verdict.next_after IS 'The value of after for the next request; null at the end of the chain.';

COMMENT ON COLUMN api.chain_verdict.head IS 'The last seal that was verified, as a value for head in a later request. Store it elsewhere. Null if there is none.';

COMMENT ON COLUMN api.chain_verdict.unsealed IS 'How many events are not sealed yet, counted up to 10000. A worker seals them every second.';

CREATE TYPE api.crm_attempt AS (
	number integer,
	email text,
	display_name text,
	sent_at api.utc_time,
	outcome text,
	message text,
	created_at api.utc_time
);

ALTER TYPE api.crm_attempt OWNER TO leads_owner;

COMMENT ON TYPE api.crm_attempt IS 'One try of a push.';

COMMENT ON COLUMN api.crm_attempt.email IS 'The e-mail address that was sent to the CRM.';

COMMENT ON COLUMN api.crm_attempt.display_name IS 'The name that was sent to the CRM. Null: nothing was sent that creates a record.';

COMMENT ON COLUMN api.crm_attempt.sent_at IS 'When it was sent.';

COMMENT ON COLUMN api.crm_attempt.outcome IS 'The result; null if it is not known.';

COMMENT ON COLUMN api.crm_attempt.message IS 'The message of the CRM.';

COMMENT ON COLUMN api.crm_attempt.created_at IS 'When the attempt began.';

CREATE TYPE api.crm_connection AS (
	id uuid,
	organization_id uuid,
	vendor text,
	account text,
	state text,
	fault text,
	push_stage text,
	settle_seconds integer,
	settings json,
	created_at api.utc_time
);

ALTER TYPE api.crm_connection OWNER TO leads_owner;

COMMENT ON TYPE api.crm_connection IS 'A connection to a CRM, without its credential.';

COMMENT ON COLUMN api.crm_connection.id IS 'The connection''s id.';

COMMENT ON COLUMN api.crm_connection.organization_id IS 'The organization''s id.';

COMMENT ON COLUMN api.crm_connection.vendor IS 'The CRM.';

COMMENT ON COLUMN api.crm_connection.account IS 'The account in the CRM.';

COMMENT ON COLUMN api.crm_connection.state IS 'The state of the connection.';

COMMENT ON COLUMN api.crm_connection.fault IS 'Why the connection is paused, if the CRM rejected the credential; otherwise null.';

COMMENT ON COLUMN api.crm_connection.push_stage IS 'A lead that enters this stage is pushed automatically.';

COMMENT ON COLUMN api.crm_connection.settle_seconds IS 'How many seconds after a call the CRM needs until its search finds the record.';

COMMENT ON COLUMN api.crm_connection.settings IS 'Further settings that the CRM needs.';

COMMENT ON COLUMN api.crm_connection.created_at IS 'When the connection was created.';

CREATE TYPE api.crm_push AS (
	vendor text,
	account text,
	status text,
	external_id text,
	error_code text,
	error text,
	last_synced_at api.utc_time,
	created_at api.utc_time,
	attempts api.crm_attempt[]
);

ALTER TYPE api.crm_push OWNER TO leads_owner;

COMMENT ON TYPE api.crm_push IS 'A push of a lead to one account of a CRM, with its attempts.';

COMMENT ON COLUMN api.crm_push.created_at IS 'When the push was first requested.';

COMMENT ON COLUMN api.crm_push.attempts IS 'The attempts, the first one first.';

CREATE TYPE api.crm_sync AS (
	vendor text,
	external_id text,
	status text,
	last_synced_at api.utc_time
);

ALTER TYPE api.crm_sync OWNER TO leads_owner;

COMMENT ON TYPE api.crm_sync IS 'The state of a lead''s push to the CRM.';

COMMENT ON COLUMN api.crm_sync.vendor IS 'The CRM.';

COMMENT ON COLUMN api.crm_sync.external_id IS 'The id of the record in the CRM; null if there is none yet.';

COMMENT ON COLUMN api.crm_sync.status IS 'The state of the push.';

COMMENT ON COLUMN api.crm_sync.last_synced_at IS 'When the record was created or found; null if that has not happened.';

CREATE FUNCTION api.is_cursor(value text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_content text collate "C";
begin
  -- A pattern with limits for the number of characters would be ten to a hundred times as slow.
  if char_length(is_cursor.value) > 200 or is_cursor.value collate "C" !~ '^[A-Za-z0-9_-]+$' then
    return false;
  end if;
  v_content := convert_from(
    decode(translate(is_cursor.value, '-_', '+/') || repeat('=', -char_length(is_cursor.value) & 3), 'base64'), 'UTF8'
  );
  -- Before the cast: for each name of a time zone in a text, a session keeps 24 KB until it ends.
  if translate(substr(v_content, 16, 24), '123456789', '000000000') <> '0000-00-00T00:00:00.000Z' then
    return false;
  end if;
  -- The same text again, if each part has its place and is written as the API writes it.
  return v_content = concat(
    '{"created_at":"',
    to_char(substr(v_content, 16, 24)::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    '","id":"', substr(v_content, 48, 36)::uuid, '"}'
  );
exception
  when data_exception then
    return false;
end $_$;

ALTER FUNCTION api.is_cursor(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION api.is_cursor(value text) IS 'Whether the value is a cursor: unpadded base64url (RFC 4648, section 5) of compact JSON with created_at and id.';

CREATE DOMAIN api.cursor AS text
	CONSTRAINT cursor_is_well_formed CHECK (api.is_cursor(VALUE));

ALTER DOMAIN api.cursor OWNER TO leads_owner;

COMMENT ON DOMAIN api.cursor IS 'The next_cursor of the previous page. Its content is opaque.';

CREATE DOMAIN api.entity_tags AS text
	CONSTRAINT entity_tags_are_well_formed CHECK (((VALUE COLLATE "C") ~ '^[ \t]*(\*|(W/)?"[^"]*"([ \t]*,[ \t]*(W/)?"[^"]*")*)[ \t]*$'::text));

ALTER DOMAIN api.entity_tags OWNER TO leads_owner;

COMMENT ON DOMAIN api.entity_tags IS 'Entity tags as ETag returned them, with their quotes, separated by commas; or * (RFC 9110, section 13.1.1).';

CREATE FUNCTION api.is_export_cursor(value text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  if char_length(is_export_cursor.value) > 200 or is_export_cursor.value collate "C" !~ '^[A-Za-z0-9_-]+$' then
    return false;
  end if;
  return convert_from(
    decode(translate(is_export_cursor.value, '-_', '+/') || repeat('=', -char_length(is_export_cursor.value) & 3), 'base64'),
    'UTF8'
  ) collate "C" ~ (
    '^\{"created_at":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z",'
    '"id":"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}","rows":[1-9][0-9]{0,15}\}$'
  );
exception
  when data_exception then
    return false;
end $_$;

ALTER FUNCTION api.is_export_cursor(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION api.is_export_cursor(value text) IS 'Whether the value is a cursor of an export: unpadded base64url of JSON with the time and the id of the last row, and the number of rows so far.';

CREATE DOMAIN api.export_cursor AS text
	CONSTRAINT export_cursor_is_well_formed CHECK (api.is_export_cursor(VALUE));

ALTER DOMAIN api.export_cursor OWNER TO leads_owner;

COMMENT ON DOMAIN api.export_cursor IS 'The place of an export behind a page. The API server sends it, and no client.';

CREATE DOMAIN api.export_format AS text
	CONSTRAINT export_format_is_known CHECK ((VALUE = ANY (ARRAY['ndjson'::text, 'csv'::text])));

ALTER DOMAIN api.export_format OWNER TO leads_owner;

COMMENT ON DOMAIN api.export_format IS 'ndjson: a JSON object in each line. csv: comma-separated values (RFC 4180), in which spreadsheet formulas are escaped.';

CREATE TYPE api.exported_lead AS (
	id uuid,
	organization_id uuid,
	name text,
	company text,
	email text,
	source text,
	lead_score integer,
	pipeline_stage text,
	industry text,
	company_size text,
	created_at text,
	updated_at text,
	pain_points text,
	timeline text,
	budget_range text,
	ai_reasoning text,
	qualification_completed_at text,
	phone text,
	reference text,
	details json
);

ALTER TYPE api.exported_lead OWNER TO leads_owner;

COMMENT ON TYPE api.exported_lead IS 'A line of the export of leads: all fields of the lead, and its contact data and details.';

COMMENT ON COLUMN api.exported_lead.qualification_completed_at IS 'When the lead first reached the stage "qualified"; null if it has not.';

COMMENT ON COLUMN api.exported_lead.details IS 'Other values by name: texts, numbers and booleans. It is {} if there are none.';

CREATE TYPE api.form AS (
	id uuid,
	organization_id uuid,
	name text,
	preset text,
	source text,
	mapping json,
	constants json,
	origins text[],
	honeypot text,
	redirect_url text,
	on_duplicate text,
	duplicate_hours integer,
	requests_per_minute integer,
	has_secret boolean,
	state text,
	address text,
	created_at text
);

ALTER TYPE api.form OWNER TO leads_owner;

COMMENT ON TYPE api.form IS 'A form: an address to which anything can send leads.';

COMMENT ON COLUMN api.form.id IS 'The form''s id.';

COMMENT ON COLUMN api.form.organization_id IS 'The organization''s id.';

COMMENT ON COLUMN api.form.has_secret IS 'Whether the signatures of the sender are checked.';

COMMENT ON COLUMN api.form.state IS 'active or revoked.';

COMMENT ON COLUMN api.form.address IS 'The path of the address, with the token. Only the response that creates the form has it; otherwise it is null.';

COMMENT ON COLUMN api.form.created_at IS 'When the form was created.';

CREATE TYPE api.form_input AS (
	name text,
	preset text,
	source text,
	mapping json,
	constants json,
	origins text[],
	honeypot text,
	redirect_url text,
	on_duplicate text,
	duplicate_hours integer,
	requests_per_minute integer,
	secret text
);

ALTER TYPE api.form_input OWNER TO leads_owner;

COMMENT ON TYPE api.form_input IS 'A new form: each member is optional.';

COMMENT ON COLUMN api.form_input.secret IS 'The secret with which the sender signs; for google_ads, the key that it sends. 1 to 255 characters.';

CREATE TYPE api.form_submission AS (
	id uuid,
	form_id uuid,
	outcome text,
	content json,
	faults json,
	created_at text
);

ALTER TYPE api.form_submission OWNER TO leads_owner;

COMMENT ON TYPE api.form_submission IS 'A submission of a form.';

COMMENT ON COLUMN api.form_submission.id IS 'The submission''s id.';

COMMENT ON COLUMN api.form_submission.form_id IS 'The form''s id.';

COMMENT ON COLUMN api.form_submission.created_at IS 'When it arrived.';

CREATE TYPE api.health AS (
	status text,
	organization_id uuid,
	environment text,
	scopes text[]
);

ALTER TYPE api.health OWNER TO leads_owner;

COMMENT ON TYPE api.health IS 'The organization and the scopes of a key.';

COMMENT ON COLUMN api.health.status IS 'Always ok.';

COMMENT ON COLUMN api.health.organization_id IS 'The organization that the key belongs to.';

COMMENT ON COLUMN api.health.environment IS 'The environment of the organization.';

COMMENT ON COLUMN api.health.scopes IS 'The scopes of the key.';

CREATE DOMAIN api.idempotency_key AS text
	CONSTRAINT idempotency_key_is_1_to_255_printable_characters CHECK (((VALUE COLLATE "C") ~ '^[\x20-\x7E]{1,255}$'::text));

ALTER DOMAIN api.idempotency_key OWNER TO leads_owner;

COMMENT ON DOMAIN api.idempotency_key IS 'Makes the request safe to repeat: for 24 hours the same key and request return the first response again.';

CREATE TYPE api.kept_answer AS (
	status integer,
	body json,
	created_at api.utc_time
);

ALTER TYPE api.kept_answer OWNER TO leads_owner;

COMMENT ON TYPE api.kept_answer IS 'A response that is kept for 24 hours under an Idempotency-Key.';

COMMENT ON COLUMN api.kept_answer.status IS 'The HTTP status.';

COMMENT ON COLUMN api.kept_answer.body IS 'The body.';

COMMENT ON COLUMN api.kept_answer.created_at IS 'When the request was made.';

CREATE TYPE api.lead AS (
	id uuid,
	organization_id uuid,
	name text,
	company text,
	email text,
	source text,
	lead_score integer,
	pipeline_stage text,
	industry text,
	company_size text,
	pain_points text,
	timeline text,
	budget_range text,
	ai_reasoning text,
	qualification_completed_at api.utc_time,
	created_at api.utc_time,
	updated_at api.utc_time
);

ALTER TYPE api.lead OWNER TO leads_owner;

COMMENT ON TYPE api.lead IS 'A lead with all its fields.';

CREATE TYPE api.lead_change AS (
	id uuid,
	organization_id uuid,
	name text,
	company text,
	email text,
	source text,
	lead_score integer,
	pipeline_stage text,
	updated_at api.utc_time
);

ALTER TYPE api.lead_change OWNER TO leads_owner;

COMMENT ON TYPE api.lead_change IS 'A lead in the response to a change.';

CREATE TYPE api.sent_contact AS (
	email text,
	display_name text,
	sent_at api.utc_time
);

ALTER TYPE api.sent_contact OWNER TO leads_owner;

COMMENT ON TYPE api.sent_contact IS 'What was sent to a CRM by a call whose result is not known.';

COMMENT ON COLUMN api.sent_contact.email IS 'The e-mail address.';

COMMENT ON COLUMN api.sent_contact.display_name IS 'The name.';

COMMENT ON COLUMN api.sent_contact.sent_at IS 'When it was sent.';

CREATE TYPE api.lead_copy AS (
	vendor text,
	account text,
	status text,
	external_id text,
	may_have_made api.sent_contact[]
);

ALTER TYPE api.lead_copy OWNER TO leads_owner;

COMMENT ON TYPE api.lead_copy IS 'A record of a lead in a CRM.';

COMMENT ON COLUMN api.lead_copy.status IS 'The status of the push that created the record, or that may have created it.';

COMMENT ON COLUMN api.lead_copy.external_id IS 'The id of the record; null if it is not known.';

COMMENT ON COLUMN api.lead_copy.may_have_made IS 'Calls that may have created a record. Look for it by these values.';

CREATE FUNCTION api.is_change_cursor(value text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  if char_length(is_change_cursor.value) > 150 or is_change_cursor.value collate "C" !~ '^[A-Za-z0-9_-]+$' then
    return false;
  end if;
  return convert_from(
    decode(translate(is_change_cursor.value, '-_', '+/') || repeat('=', -char_length(is_change_cursor.value) & 3), 'base64'),
    'UTF8'
  ) collate "C" ~ '^\{"position":(0|[1-9][0-9]{0,17}),"newest":(0|[1-9][0-9]{0,17}),"hash":"[0-9a-f]{16}"\}$';
exception
  when data_exception then
    return false;
end $_$;

ALTER FUNCTION api.is_change_cursor(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION api.is_change_cursor(value text) IS 'Whether the value is a cursor of a walk through the changes: unpadded base64url of JSON with a position in the chain of seals, that of the newest seal, and the first 8 bytes of its hash.';

CREATE DOMAIN api.lead_cursor AS text
	CONSTRAINT lead_cursor_is_well_formed CHECK ((api.is_cursor(VALUE) OR api.is_change_cursor(VALUE)));

ALTER DOMAIN api.lead_cursor OWNER TO leads_owner;

COMMENT ON DOMAIN api.lead_cursor IS 'The next_cursor of the previous page. Its content is opaque.';

CREATE TYPE api.lead_details AS (
	id uuid,
	phone text,
	reference text,
	details json,
	updated_at text
);

ALTER TYPE api.lead_details OWNER TO leads_owner;

COMMENT ON TYPE api.lead_details IS 'The contact data and details of a lead that GET /leads/{id} does not show.';

COMMENT ON COLUMN api.lead_details.details IS 'Other values by name: texts, numbers and booleans. It is {} if there are none.';

CREATE TYPE api.lead_details_input AS (
	phone text,
	reference text,
	details json
);

ALTER TYPE api.lead_details_input OWNER TO leads_owner;

COMMENT ON TYPE api.lead_details_input IS 'A change of the details of a lead: each member is optional.';

CREATE TYPE api.lead_erasure AS (
	id uuid,
	status text,
	copies api.lead_copy[]
);

ALTER TYPE api.lead_erasure OWNER TO leads_owner;

COMMENT ON TYPE api.lead_erasure IS 'The erasure of a lead.';

COMMENT ON COLUMN api.lead_erasure.id IS 'The id of the lead.';

COMMENT ON COLUMN api.lead_erasure.status IS 'erased: the lead was erased. waiting: nothing was erased, because a push to the CRM is in progress; repeat the request.';

COMMENT ON COLUMN api.lead_erasure.copies IS 'The records in CRMs, which you must erase there.';

CREATE TYPE api.score AS (
	id uuid,
	organization_id uuid,
	lead_id uuid,
	kind text,
	lead_score integer,
	ai_reasoning text,
	model text,
	model_version integer,
	base numeric,
	contributions json,
	created_at api.utc_time
);

ALTER TYPE api.score OWNER TO leads_owner;

COMMENT ON TYPE api.score IS 'An entry in the history of a lead''s score.';

COMMENT ON COLUMN api.score.id IS 'The entry''s id, a UUID of version 7.';

COMMENT ON COLUMN api.score.organization_id IS 'The organization''s id.';

COMMENT ON COLUMN api.score.lead_id IS 'The lead''s id.';

COMMENT ON COLUMN api.score.kind IS 'scored: a model computed the score. set: someone wrote it to the lead.';

COMMENT ON COLUMN api.score.lead_score IS 'The score.';

COMMENT ON COLUMN api.score.ai_reasoning IS 'The reasons for the score, as text.';

COMMENT ON COLUMN api.score.model IS 'own or default; null if no model computed the score.';

COMMENT ON COLUMN api.score.model_version IS 'The version of the model; null if no model computed the score.';

COMMENT ON COLUMN api.score.base IS 'The base of the score, from 0 to 1; null if no model computed the score.';

COMMENT ON COLUMN api.score.contributions IS 'The contributions that were added to the base, strongest first; null if no model computed the score.';

COMMENT ON COLUMN api.score.created_at IS 'When the score was computed or set.';

CREATE TYPE api.signal AS (
	id uuid,
	organization_id uuid,
	lead_id uuid,
	type text,
	value json,
	observed_at api.utc_time,
	dedupe_key text,
	created_at api.utc_time
);

ALTER TYPE api.signal OWNER TO leads_owner;

COMMENT ON TYPE api.signal IS 'An observation about a lead, as it is stored.';

COMMENT ON COLUMN api.signal.id IS 'The signal''s id, a UUID of version 7.';

COMMENT ON COLUMN api.signal.organization_id IS 'The organization''s id.';

COMMENT ON COLUMN api.signal.lead_id IS 'The lead''s id.';

COMMENT ON COLUMN api.signal.type IS 'What was observed, as a machine name such as storm_event.';

COMMENT ON COLUMN api.signal.value IS 'The value that was observed. false and null do not count for the score.';

COMMENT ON COLUMN api.signal.observed_at IS 'When it was observed.';

COMMENT ON COLUMN api.signal.dedupe_key IS 'Your own key. A second signal of the lead with the same key is not added.';

COMMENT ON COLUMN api.signal.created_at IS 'When the signal was added.';

CREATE TYPE api.lead_everything AS (
	lead api.lead,
	details api.lead_details,
	signals api.signal[],
	scores api.score[],
	crm_pushes api.crm_push[],
	audit_events api.audit_event[],
	kept_answers api.kept_answer[],
	is_complete boolean,
	submissions api.form_submission[]
);

ALTER TYPE api.lead_everything OWNER TO leads_owner;

COMMENT ON TYPE api.lead_everything IS 'All that is stored about a lead.';

COMMENT ON COLUMN api.lead_everything.lead IS 'The lead as GET /leads/{id} shows it.';

COMMENT ON COLUMN api.lead_everything.details IS 'Its phone number, reference and details.';

COMMENT ON COLUMN api.lead_everything.signals IS 'Its signals, the newest first.';

COMMENT ON COLUMN api.lead_everything.scores IS 'Its scores, the newest first.';

COMMENT ON COLUMN api.lead_everything.crm_pushes IS 'Its pushes to CRMs.';

COMMENT ON COLUMN api.lead_everything.audit_events IS 'Its events in the audit log, the newest first.';

COMMENT ON COLUMN api.lead_everything.kept_answers IS 'The responses about it that are kept under Idempotency-Keys.';

COMMENT ON COLUMN api.lead_everything.is_complete IS 'false: one of the lists has only its 1,000 newest entries. The others are in the pages of its own endpoint.';

COMMENT ON COLUMN api.lead_everything.submissions IS 'The submissions of forms that became the lead, or a part of it.';

CREATE TYPE api.lead_input AS (
	name text,
	company text,
	email text,
	source text,
	lead_score integer,
	pipeline_stage text,
	industry text,
	company_size text,
	pain_points text,
	timeline text,
	budget_range text,
	ai_reasoning text
);

ALTER TYPE api.lead_input OWNER TO leads_owner;

COMMENT ON TYPE api.lead_input IS 'The fields of a lead that a client can write.';

CREATE TYPE api.lead_item AS (
	id uuid,
	organization_id uuid,
	name text,
	company text,
	email text,
	source text,
	lead_score integer,
	pipeline_stage text,
	industry text,
	company_size text,
	created_at api.utc_time,
	updated_at api.utc_time
);

ALTER TYPE api.lead_item OWNER TO leads_owner;

COMMENT ON TYPE api.lead_item IS 'A lead in a list.';

CREATE DOMAIN api.lead_order AS text
	CONSTRAINT lead_order_is_known CHECK ((VALUE = ANY (ARRAY['created_at'::text, 'updated_at'::text])));

ALTER DOMAIN api.lead_order OWNER TO leads_owner;

COMMENT ON DOMAIN api.lead_order IS 'created_at: all leads, newest first. updated_at: the leads that changed, in the order of their changes.';

CREATE TYPE api.lead_sync AS (
	id uuid,
	crm_sync api.crm_sync
);

ALTER TYPE api.lead_sync OWNER TO leads_owner;

COMMENT ON TYPE api.lead_sync IS 'A lead with the state of its push to the CRM.';

COMMENT ON COLUMN api.lead_sync.id IS 'The lead''s id.';

COMMENT ON COLUMN api.lead_sync.crm_sync IS 'The state of the push; null if the lead was never pushed.';

CREATE TYPE api.new_lead_input AS (
	name text,
	company text,
	email text,
	source text,
	lead_score integer,
	pipeline_stage text,
	industry text,
	company_size text,
	pain_points text,
	timeline text,
	budget_range text,
	ai_reasoning text,
	phone text,
	reference text,
	details json
);

ALTER TYPE api.new_lead_input OWNER TO leads_owner;

COMMENT ON TYPE api.new_lead_input IS 'The fields of a new lead: each member is optional.';

CREATE TYPE api.new_score AS (
	id uuid,
	lead_score integer,
	ai_reasoning text,
	scored_at api.utc_time
);

ALTER TYPE api.new_score OWNER TO leads_owner;

COMMENT ON TYPE api.new_score IS 'The result of scoring a lead.';

COMMENT ON COLUMN api.new_score.id IS 'The lead''s id.';

COMMENT ON COLUMN api.new_score.lead_score IS 'The new score.';

COMMENT ON COLUMN api.new_score.ai_reasoning IS 'The reasons for the score, with their contributions, strongest first.';

COMMENT ON COLUMN api.new_score.scored_at IS 'When the score was computed.';

CREATE TYPE api.organization AS (
	id uuid,
	name text,
	environment text,
	pipeline_stages text[],
	created_at api.utc_time
);

ALTER TYPE api.organization OWNER TO leads_owner;

COMMENT ON TYPE api.organization IS 'An organization.';

COMMENT ON COLUMN api.organization.id IS 'The organization''s id.';

COMMENT ON COLUMN api.organization.name IS 'The name of the organization.';

COMMENT ON COLUMN api.organization.environment IS 'live or test. A test organization never causes calls to other systems.';

COMMENT ON COLUMN api.organization.pipeline_stages IS 'The pipeline stages of a lead, in their order.';

COMMENT ON COLUMN api.organization.created_at IS 'When the organization was created.';

CREATE DOMAIN api.page_size AS integer
	CONSTRAINT page_size_within_1_and_200 CHECK (((VALUE >= 1) AND (VALUE <= 200)));

ALTER DOMAIN api.page_size OWNER TO leads_owner;

COMMENT ON DOMAIN api.page_size IS 'The maximum number of rows in a page.';

CREATE DOMAIN api.seal_count AS integer
	CONSTRAINT seal_count_within_1_and_10000 CHECK (((VALUE >= 1) AND (VALUE <= 10000)));

ALTER DOMAIN api.seal_count OWNER TO leads_owner;

COMMENT ON DOMAIN api.seal_count IS 'The maximum number of seals to verify.';

CREATE DOMAIN api.seal_position AS text
	CONSTRAINT seal_position_is_a_whole_number CHECK (((VALUE COLLATE "C") ~ '^[0-9]{1,18}$'::text));

ALTER DOMAIN api.seal_position OWNER TO leads_owner;

COMMENT ON DOMAIN api.seal_position IS 'The position of a seal. 0 is the position before the first seal.';

CREATE DOMAIN api.search_text AS text
	CONSTRAINT search_text_has_1_to_100_characters CHECK (((char_length(VALUE) >= 1) AND (char_length(VALUE) <= 100)));

ALTER DOMAIN api.search_text OWNER TO leads_owner;

COMMENT ON DOMAIN api.search_text IS 'Up to 5 words, with up to 100 characters.';

CREATE TYPE api.signal_input AS (
	type text,
	value json,
	observed_at timestamp with time zone,
	dedupe_key text
);

ALTER TYPE api.signal_input OWNER TO leads_owner;

COMMENT ON TYPE api.signal_input IS 'An observation about a lead.';

COMMENT ON COLUMN api.signal_input.type IS 'What was observed, as a machine name such as storm_event.';

COMMENT ON COLUMN api.signal_input.value IS 'The value that was observed. The default is true. false and null do not count for the score.';

COMMENT ON COLUMN api.signal_input.observed_at IS 'When it was observed. The default is now; it can be in the past.';

COMMENT ON COLUMN api.signal_input.dedupe_key IS 'Your own key. If the lead already has a signal with the same key, nothing is added.';

CREATE TYPE app.lead_values AS (
	id uuid,
	organization_id uuid,
	name text,
	company text,
	email text,
	source text,
	lead_score integer,
	pipeline_stage text,
	industry text,
	company_size text,
	pain_points text,
	timeline text,
	budget_range text,
	ai_reasoning text,
	qualification_completed_at timestamp(3) with time zone,
	created_at timestamp(3) with time zone,
	updated_at timestamp(3) with time zone,
	revision integer,
	email_key text COLLATE pg_catalog."C",
	pipeline_stage_and_source text COLLATE pg_catalog."C",
	score_id uuid,
	item text,
	phone text,
	phone_key text COLLATE pg_catalog."C",
	reference text,
	details jsonb
);

ALTER TYPE app.lead_values OWNER TO leads_owner;

COMMENT ON TYPE app.lead_values IS 'A row of app.lead: the same columns, in the same order.';

CREATE TYPE app.organization_values AS (
	organization_id uuid,
	name text,
	environment text,
	created_at timestamp(3) with time zone,
	erased_at timestamp(3) with time zone,
	accepts_name_and_phone boolean,
	country_code text
);

ALTER TYPE app.organization_values OWNER TO leads_owner;

COMMENT ON TYPE app.organization_values IS 'A row of app.organization: the same columns, in the same order.';

CREATE TYPE crm.job AS (
	organization_id uuid,
	sync_id uuid,
	attempt integer,
	vendor text,
	settings json,
	credential bytea,
	credential_key text,
	contact json,
	open_attempts json,
	spellings text[]
);

ALTER TYPE crm.job OWNER TO leads_owner;

COMMENT ON TYPE crm.job IS 'A leased sync, with everything that its push needs.';

CREATE TYPE crm.permission AS (
	verdict text,
	wait_seconds numeric
);

ALTER TYPE crm.permission OWNER TO leads_owner;

COMMENT ON TYPE crm.permission IS 'Whether the worker may call the vendor. go: yes. wait: ask again after wait_seconds. stop: the lease is lost or returned.';

CREATE TYPE crm.sync_values AS (
	organization_id uuid,
	id uuid,
	lead_id uuid,
	vendor text,
	account text,
	status text,
	external_id text,
	error_code text,
	error text,
	run_at timestamp(3) with time zone,
	leased_by integer,
	attempts integer,
	begun_at timestamp(3) with time zone,
	begun_after integer,
	email_key text COLLATE pg_catalog."C",
	last_synced_at timestamp(3) with time zone,
	created_at timestamp(3) with time zone
);

ALTER TYPE crm.sync_values OWNER TO leads_owner;

COMMENT ON TYPE crm.sync_values IS 'A row of crm.sync: the same columns, in the same order.';

CREATE FUNCTION admin.activate_scoring_model(organization_id uuid, version integer DEFAULT NULL::integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := (admin.organization(activate_scoring_model.organization_id)).organization_id;
  v_model scoring.model;
begin
  -- Locks all models of the organization, so that concurrent activations wait for each other.
  perform from scoring.model as m where m.organization_id = v_organization_id order by m.version for update;
  select m.* into v_model
  from scoring.model as m
  where
    m.organization_id = v_organization_id
    and case
      when activate_scoring_model.version is null then m.state = 'draft'
      else m.version = activate_scoring_model.version
    end;
  if not found then
    raise sqlstate 'PT404' using
      message = 'model_not_found',
      hint = case
        when activate_scoring_model.version is not null then
          format('The organization has no scoring model of version %s.', activate_scoring_model.version)
        else coalesce(
          (
            select format('There is no draft. Version %s is active since %s.', m.version, app.utc_text(m.activated_at))
            from scoring.model as m
            where m.organization_id = v_organization_id and m.state = 'active'
          ),
          'There is no draft.'
        ) || ' To create one, run: leads scoring edit FILE'
      end;
  end if;
  if v_model.state = 'active' then
    raise sqlstate 'PT409' using
      message = 'model_is_active',
      hint = format('Version %s is already active, since %s.', v_model.version, app.utc_text(v_model.activated_at));
  end if;
  update scoring.model as m
  set state = 'retired'
  where m.organization_id = v_organization_id and m.state = 'active';
  update scoring.model as m
  set state = 'active', activated_at = date_trunc('milliseconds', now())
  where m.organization_id = v_organization_id and m.version = v_model.version;
  return v_model.version;
end $$;

ALTER FUNCTION admin.activate_scoring_model(organization_id uuid, version integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.activate_scoring_model(organization_id uuid, version integer) IS 'Activates a version of the organization''s scoring model and retires the version that was active. Returns the version.

version: null for the draft. A retired version can be activated again. An activated version can''t be changed. Raises PT404
organization_not_found and model_not_found, PT409 model_is_active.';

CREATE FUNCTION admin.add_stage(organization_id uuid, name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(add_stage.organization_id)).organization_id;
begin
  if app.is_name(add_stage.name) is not true then
    raise sqlstate 'PT422' using
      message = 'invalid_name',
      hint = 'A stage''s name must have 1 to 64 characters from a-z, 0-9, _ and -, and begin with a-z or 0-9.';
  end if;
  insert into app.pipeline_stage (organization_id, name, position)
  select v_organization_id, add_stage.name, coalesce(max(s.position), 0) + 1
  from app.pipeline_stage as s
  where s.organization_id = v_organization_id
  on conflict (organization_id, name) do nothing;
  if not found then
    raise sqlstate 'PT409' using
      message = 'stage_exists',
      hint = format('The organization already has a stage "%s".', add_stage.name);
  end if;
end $$;

ALTER FUNCTION admin.add_stage(organization_id uuid, name text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.add_stage(organization_id uuid, name text) IS 'Adds a pipeline stage after the others. Raises PT404 organization_not_found, PT422 invalid_name, PT409 stage_exists.';

CREATE FUNCTION admin.alter_analyst(login text, connections integer DEFAULT NULL::integer, verifier text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $_$
declare
  v_limit integer := (select r.rolconnlimit from pg_catalog.pg_roles as r where r.rolname = alter_analyst.login);
begin
  if not exists (
    select from admin.analysts() as a where a.login = alter_analyst.login and a.state in ('good', 'expired')
  ) then
    raise sqlstate 'PT404' using message = 'analyst_not_found', hint = format(
      'There is no analyst "%s". To list them, run: leads bi list', alter_analyst.login
    );
  end if;
  if alter_analyst.verifier !~ '^SCRAM-SHA-256\$' then
    raise sqlstate 'PT422' using message = 'invalid_verifier', hint =
      'The verifier must be a SCRAM-SHA-256 verifier (RFC 5803) and not the password.';
  end if;
  if alter_analyst.verifier is not null then
    perform admin.signal_analyst(alter_analyst.login);
  end if;
  perform admin.limit_analyst(alter_analyst.login, coalesce(alter_analyst.connections, nullif(v_limit, -1), 20));
  if alter_analyst.verifier is not null then
    execute format('alter role %I password %L', alter_analyst.login, alter_analyst.verifier);
  end if;
end $_$;

ALTER FUNCTION admin.alter_analyst(login text, connections integer, verifier text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.alter_analyst(login text, connections integer, verifier text) IS 'Changes the number of connections or the password of an analyst''s login, and sets the limits of this release.

connections, verifier: null keeps the present one. verifier: the new password''s SCRAM-SHA-256 verifier (RFC 5803). With a new
password, it tells the login''s sessions to end, and admin.end_analyst_sessions waits for that. Without, open sessions keep
running. Only the migrating login can execute it. Raises PT404 analyst_not_found, PT422 out_of_range and invalid_verifier, and
55P03 if another transaction locks the role for 2 seconds.';

CREATE FUNCTION auth.roles() RETURNS TABLE(name text, kind text, definer_schemas text[])
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT r.name,
     r.kind,
     r.definer_schemas
    FROM ( VALUES ('leads_owner'::text,'owner'::text,ARRAY[]::text[]), ('leads_auth'::text,'owner'::text,ARRAY['auth'::text]), ('leads_exec'::text,'owner'::text,ARRAY['api'::text]), ('leads_intake'::text,'owner'::text,ARRAY['api'::text, 'intake'::text]), ('leads_jobs'::text,'owner'::text,ARRAY['admin'::text, 'crm'::text, 'intake'::text]), ('leads_audit'::text,'sealed'::text,ARRAY['audit'::text]), ('leads_eraser'::text,'sealed'::text,ARRAY['audit'::text]), ('leads_bi'::text,'group'::text,NULL::text[]), ('leads_api'::text,'login'::text,NULL::text[]), ('leads_worker'::text,'login'::text,NULL::text[]), ('leads_operator'::text,'login'::text,NULL::text[])) r(name, kind, definer_schemas);
END;

ALTER FUNCTION auth.roles() OWNER TO leads_owner;

COMMENT ON FUNCTION auth.roles() IS 'The database roles that the migrations create.

kind: "owner" owns objects, and the migrating login may act as it. "sealed" owns functions, and nobody may act as it. "group"
has the analysts'' logins as its members. "login" can log in; the other kinds can''t. definer_schemas: the schemas in which the
role may own SECURITY DEFINER functions; null: it owns no objects.';

CREATE VIEW admin.role WITH (security_invoker='true') AS
 SELECT e.name,
    e.kind,
    (e.kind = ANY (ARRAY['owner'::text, 'sealed'::text])) AS is_owner,
    e.definer_schemas,
    r.oid,
    r.rolcanlogin AS can_login,
    r.rolinherit AS inherits,
    r.rolsuper AS is_superuser,
    r.rolbypassrls AS bypasses_rls,
    r.rolcreaterole AS can_create_roles,
    r.rolcreatedb AS can_create_databases,
    r.rolreplication AS can_replicate
   FROM (auth.roles() e(name, kind, definer_schemas)
     LEFT JOIN pg_roles r ON ((r.rolname = e.name)));

ALTER VIEW admin.role OWNER TO leads_jobs;

COMMENT ON VIEW admin.role IS 'The roles of auth.roles() with their attributes. A role that does not exist has null attributes.';

CREATE VIEW admin.membership WITH (security_invoker='true') AS
 SELECT m.member AS member_id,
    (m.member)::regrole AS member,
    l.rolname AS login_name,
    (m.roleid)::regrole AS granted,
    (m.grantor)::regrole AS grantor,
    r.kind AS granted_kind,
    (EXISTS ( SELECT
           FROM admin.role o
          WHERE (o.oid = m.member))) AS is_member_ours,
    COALESCE(((to_jsonb(m.*) ->> 'set_option'::text))::boolean, true) AS may_set,
    COALESCE(((to_jsonb(m.*) ->> 'inherit_option'::text))::boolean, true) AS inherits,
    (to_jsonb(m.*) ? 'set_option'::text) AS has_options,
    (l.rolcanlogin AND (l.rolcreaterole OR l.rolsuper)) AS is_migrating,
    (l.rolsuper OR l.rolbypassrls) AS bypasses_rls,
    format('revoke %s from %s granted by %s;'::text, (m.roleid)::regrole, (m.member)::regrole, (m.grantor)::regrole) AS removal
   FROM ((pg_auth_members m
     JOIN pg_roles l ON ((l.oid = m.member)))
     LEFT JOIN admin.role r ON ((r.oid = m.roleid)));

ALTER VIEW admin.membership OWNER TO leads_jobs;

COMMENT ON VIEW admin.membership IS 'The memberships of roles in roles.

granted_kind: the kind that auth.roles() gives the granted role; null for a role of another application. is_migrating: the
member can log in and create roles, as the migrating login does. removal: SQL that removes the membership.';

CREATE VIEW admin.schema WITH (security_invoker='true') AS
 SELECT oid,
    quote_ident((nspname)::text) AS name,
    (nspowner)::regrole AS owner,
    nspacl AS acl
   FROM pg_namespace n
  WHERE ((nspname = ANY (ARRAY['app'::name, 'auth'::name, 'audit'::name, 'api'::name, 'admin'::name, 'scoring'::name, 'crm'::name, 'bi'::name, 'intake'::name])) OR (nspowner IN ( SELECT r.oid
           FROM admin.role r)));

ALTER VIEW admin.schema OWNER TO leads_jobs;

COMMENT ON VIEW admin.schema IS 'The schemas of the application, and every other schema that belongs to one of its roles.';

CREATE VIEW admin.relation WITH (security_invoker='true') AS
 SELECT oid,
    ((oid)::regclass)::text AS name,
    relkind AS kind,
        CASE relkind
            WHEN 'v'::"char" THEN 'view'::text
            WHEN 'm'::"char" THEN 'materialized view'::text
            WHEN 'f'::"char" THEN 'foreign table'::text
            WHEN 'S'::"char" THEN 'sequence'::text
            ELSE 'table'::text
        END AS noun,
    relowner AS owner_id,
    relacl AS acl,
    reloptions AS options,
    relpersistence AS persistence,
    relrowsecurity AS has_rls,
    relforcerowsecurity AS forces_rls,
    relispartition AS is_partition
   FROM pg_class c
  WHERE ((relnamespace IN ( SELECT s.oid
           FROM admin.schema s)) AND (relkind = ANY (ARRAY['r'::"char", 'p'::"char", 'v'::"char", 'm'::"char", 'f'::"char", 'S'::"char"])));

ALTER VIEW admin.relation OWNER TO leads_jobs;

COMMENT ON VIEW admin.relation IS 'The tables, partitions, views, foreign tables and sequences in the schemas of admin.schema.

name: with its schema if the caller''s search_path is pg_catalog.';

CREATE VIEW admin.tenant_table WITH (security_invoker='true') AS
 SELECT r.oid,
    r.name,
    (COALESCE(pg_partition_root((r.oid)::regclass), (r.oid)::regclass))::text AS root,
    r.is_partition,
    r.acl,
    r.has_rls,
    r.forces_rls,
    a.attnum AS tenant_column
   FROM (admin.relation r
     JOIN pg_attribute a ON (((a.attrelid = r.oid) AND (a.attname = 'organization_id'::name) AND (NOT a.attisdropped))))
  WHERE (r.kind = ANY (ARRAY['r'::"char", 'p'::"char"]));

ALTER VIEW admin.tenant_table OWNER TO leads_jobs;

COMMENT ON VIEW admin.tenant_table IS 'The tables and partitions that have a column organization_id.

root: the partitioned table to which a partition belongs; for every other table its own name. tenant_column: the number of the
column organization_id.';

CREATE TABLE auth.analyst (
    organization_id uuid NOT NULL,
    role_oid oid NOT NULL,
    role_name name NOT NULL,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    expires_at timestamp(3) with time zone
);
ALTER TABLE ONLY auth.analyst ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY auth.analyst ALTER COLUMN role_oid SET STATISTICS 0;
ALTER TABLE ONLY auth.analyst ALTER COLUMN role_name SET STATISTICS 0;
ALTER TABLE ONLY auth.analyst ALTER COLUMN created_at SET STATISTICS 0;
ALTER TABLE ONLY auth.analyst ALTER COLUMN expires_at SET STATISTICS 0;

ALTER TABLE ONLY auth.analyst FORCE ROW LEVEL SECURITY;

ALTER TABLE auth.analyst OWNER TO leads_auth;

COMMENT ON TABLE auth.analyst IS 'Analysts'' logins. Each is bound to one organization.';

COMMENT ON COLUMN auth.analyst.role_oid IS 'The login''s oid in this cluster.';

COMMENT ON COLUMN auth.analyst.role_name IS 'The login''s name. The oid and the name must both match, because after a restore, or after the login was dropped, another role can have the oid.';

COMMENT ON COLUMN auth.analyst.expires_at IS 'The login sees no row from this time on; null: the binding does not expire.';

CREATE FUNCTION admin.analyst_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 SELECT ('role '::text || m.member),
     'The analyst''s login has no organization, so it reads nothing.'::text,
     m.removal
    FROM (admin.membership m
      JOIN pg_roles r ON (((r.oid = m.member_id) AND r.rolcanlogin)))
   WHERE ((m.granted_kind = 'group'::text) AND (m.may_set OR m.inherits) AND (NOT m.is_member_ours) AND (NOT m.is_migrating) AND (NOT (EXISTS ( SELECT
            FROM auth.analyst a
           WHERE ((a.role_oid = m.member_id) AND ((a.role_name)::text = (m.login_name)::text))))))
 UNION ALL
  SELECT ('role '::text || m.member),
     'The analyst''s login was revoked, and isn''t dropped yet.'::text,
     ('leads bi revoke '::text || (m.login_name)::text)
    FROM (admin.membership m
      JOIN pg_roles r ON (((r.oid = m.member_id) AND (NOT r.rolcanlogin))))
   WHERE ((m.granted_kind = 'group'::text) AND (NOT m.is_member_ours))
 UNION ALL
  SELECT ('analyst '::text || quote_ident((a.role_name)::text)),
     'The cluster has no such login, or a new login with the same name: the login was dropped, or a dump was restored.'::text,
     format('leads bi revoke %s (then, if the analyst still needs it, leads bi create)'::text, a.role_name) AS format
    FROM auth.analyst a
   WHERE (NOT (EXISTS ( SELECT
            FROM pg_roles r
           WHERE ((r.oid = a.role_oid) AND (r.rolname = a.role_name)))))
 UNION ALL
  SELECT format('membership of %s in %s'::text, m.member, m.granted) AS format,
     'An analyst''s login must not be a member of any role but leads_bi, because it gets that role''s rights.'::text,
     m.removal
    FROM (admin.membership m
      JOIN auth.analyst a ON ((a.role_oid = m.member_id)))
   WHERE (m.granted_kind IS DISTINCT FROM 'group'::text)
 UNION ALL
  SELECT ('role '::text || quote_ident((r.rolname)::text)),
     format('The analyst''s login has the attribute %s, which it doesn''t need.'::text, x.name) AS format,
     format('alter role %I no%s;'::text, r.rolname, lower(x.name)) AS format
    FROM ((auth.analyst a
      JOIN pg_roles r ON ((r.oid = a.role_oid)))
      CROSS JOIN LATERAL ( VALUES ('CREATEROLE'::text,r.rolcreaterole), ('CREATEDB'::text,r.rolcreatedb), ('REPLICATION'::text,r.rolreplication)) x(name, is_held))
   WHERE x.is_held
 UNION ALL
  SELECT ('role '::text || r.name),
     'The login may not use the server''s reserved connections, so analysts can leave none for it.'::text,
     format('/* as a superuser */ grant pg_use_reserved_connections to %I;'::text, r.name) AS format
    FROM (admin.role r
      CROSS JOIN pg_settings s)
   WHERE ((r.kind = 'login'::text) AND (s.name = 'reserved_connections'::text) AND (s.setting <> '0'::text) AND (NOT (EXISTS ( SELECT
            FROM admin.membership m
           WHERE ((m.member_id = r.oid) AND ((m.granted)::text = 'pg_use_reserved_connections'::text))))))
 UNION ALL
  SELECT 'connections of analysts'::text,
     format('Analysts may open %s connections together, and the server has %s: they can leave none for the API.'::text, a.connections, s.max_connections) AS format,
     'Reserve connections (PostgreSQL 16 and later): as a superuser, run alter system set reserved_connections = 30, and restart the server. Or allow fewer: leads bi alter LOGIN --connections N'::text
    FROM (( SELECT (current_setting('max_connections'::text))::integer AS max_connections,
             (COALESCE(current_setting('reserved_connections'::text, true), '0'::text))::integer AS reserved_connections) s
      CROSS JOIN LATERAL ( SELECT sum(
                 CASE r.rolconnlimit
                     WHEN '-1'::integer THEN s.max_connections
                     ELSE r.rolconnlimit
                 END) AS connections
            FROM (admin.membership m
              JOIN pg_roles r ON (((r.oid = m.member_id) AND r.rolcanlogin)))
           WHERE ((m.granted_kind = 'group'::text) AND (NOT m.is_member_ours) AND (NOT m.is_migrating))) a)
   WHERE ((s.reserved_connections = 0) AND (a.connections > (s.max_connections - 30)))
 UNION ALL
  SELECT format('session %s of %I'::text, s.pid, s.usename) AS format,
         CASE
             WHEN (s.backend_xid IS NOT NULL) THEN 'The analyst''s open transaction has a transaction id. It can hold locks on rows of the catalogue, for which VACUUM, leads migrate and leads bi wait.'::text
             ELSE format('The analyst''s transaction is open since %s transactions ago. VACUUM keeps each row that was deleted since then.'::text, age(s.backend_xmin))
         END AS format,
     ('To end the login''s sessions and give it a new password, run: leads bi rotate '::text || (s.usename)::text)
    FROM pg_stat_activity s
   WHERE (((s.backend_xid IS NOT NULL) OR (age(s.backend_xmin) > 1000000)) AND (EXISTS ( SELECT
            FROM admin.membership m
           WHERE ((m.member_id = s.usesysid) AND (m.granted_kind = 'group'::text) AND (NOT m.is_member_ours) AND (NOT m.is_migrating)))))
 UNION ALL
  SELECT ('table '::text || t.name),
     'Analysts may read the table, and no restrictive policy limits them to their organization.'::text,
     format('create policy %I on %s as restrictive for all to %I using ((select auth.analyst_organization_id()) = organization_id);'::text, ((c.relname)::text || '_bi_all'::text), t.name, g.name) AS format
    FROM ((admin.tenant_table t
      JOIN pg_class c ON ((c.oid = t.oid)))
      JOIN admin.role g ON ((g.kind = 'group'::text)))
   WHERE ((EXISTS ( SELECT
            FROM aclexplode(t.acl) x(grantor, grantee, privilege_type, is_grantable)
           WHERE (x.grantee = g.oid)
         UNION ALL
          SELECT
            FROM (pg_attribute a
              CROSS JOIN LATERAL aclexplode(a.attacl) x(grantor, grantee, privilege_type, is_grantable))
           WHERE ((a.attrelid = t.oid) AND (x.grantee = g.oid)))) AND (NOT (EXISTS ( SELECT
            FROM pg_policy p
           WHERE ((p.polrelid = t.oid) AND (NOT p.polpermissive) AND (p.polcmd = '*'::"char") AND (p.polroles = ARRAY[g.oid]) AND (pg_get_expr(p.polqual, p.polrelid) = '(( SELECT auth.analyst_organization_id() AS analyst_organization_id) = organization_id)'::text))))));
END;

ALTER FUNCTION admin.analyst_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.analyst_findings() IS 'Findings about the logins of auth.analyst and the tables that leads_bi reads, in the form of admin.findings().';

CREATE FUNCTION app.is_text(value text, max_length integer) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return char_length(value) between 1 and max_length and value = app.trim_text(value);
end $$;

ALTER FUNCTION app.is_text(value text, max_length integer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.is_text(value text, max_length integer) IS 'Whether the value is a text of 1 to max_length characters without white space at its ends. Null for null.';

CREATE FUNCTION app.new_id() RETURNS uuid
    LANGUAGE sql PARALLEL SAFE
    BEGIN ATOMIC
 SELECT uuidv7() AS uuidv7;
END;

ALTER FUNCTION app.new_id() OWNER TO leads_owner;

COMMENT ON FUNCTION app.new_id() IS 'A new UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then the fraction of the millisecond in 12 bits (section 6.2, method 3), so that ids made one after another keep their order; 62 random bits.';

CREATE FUNCTION app.utc_text(instant timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT to_char((instant AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'::text) AS to_char;
END;

ALTER FUNCTION app.utc_text(instant timestamp with time zone) OWNER TO leads_owner;

COMMENT ON FUNCTION app.utc_text(instant timestamp with time zone) IS 'The time in UTC with milliseconds (RFC 3339), such as 2026-04-27T13:22:05.114Z, in any time zone of the session. Null for null.';

CREATE TABLE app.organization (
    organization_id uuid DEFAULT app.new_id() NOT NULL,
    name text,
    environment text DEFAULT 'live'::text NOT NULL,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    erased_at timestamp(3) with time zone,
    accepts_name_and_phone boolean DEFAULT false NOT NULL,
    country_code text,
    CONSTRAINT organization_country_code_is_1_to_3_digits CHECK ((country_code ~ '^[1-9][0-9]{0,2}$'::text)),
    CONSTRAINT organization_environment_is_live_or_test CHECK ((environment = ANY (ARRAY['live'::text, 'test'::text]))),
    CONSTRAINT organization_has_a_name_until_it_is_erased CHECK (((name IS NULL) = (erased_at IS NOT NULL))),
    CONSTRAINT organization_name_is_text_of_1_to_255 CHECK (app.is_text(name, 255))
);
ALTER TABLE ONLY app.organization ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY app.organization ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE ONLY app.organization ALTER COLUMN environment SET STATISTICS 0;
ALTER TABLE ONLY app.organization ALTER COLUMN created_at SET STATISTICS 0;
ALTER TABLE ONLY app.organization ALTER COLUMN erased_at SET STATISTICS 0;
ALTER TABLE ONLY app.organization ALTER COLUMN accepts_name_and_phone SET STATISTICS 0;
ALTER TABLE ONLY app.organization ALTER COLUMN country_code SET STATISTICS 0;

ALTER TABLE ONLY app.organization FORCE ROW LEVEL SECURITY;

ALTER TABLE app.organization OWNER TO leads_owner;

COMMENT ON TABLE app.organization IS 'The tenants: businesses that keep their leads here. After an erasure only this row and the audit log remain.';

COMMENT ON COLUMN app.organization.name IS 'The business''s name; null once it is erased.';

COMMENT ON COLUMN app.organization.environment IS 'live or test. A test organization never causes a call to another system.';

COMMENT ON COLUMN app.organization.erased_at IS 'When it was erased; null: it is not erased.';

COMMENT ON COLUMN app.organization.accepts_name_and_phone IS 'Whether a lead may have a name and a phone number as its only contact data.';

COMMENT ON COLUMN app.organization.country_code IS 'The country calling code of phone numbers without one, such as 1 or 44, without +. Null: they are not completed.';

CREATE FUNCTION admin.analysts(organization_id uuid DEFAULT NULL::uuid) RETURNS TABLE(login text, organization_id uuid, organization text, state text, created_at text, expires_at text)
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT (a.role_name)::text AS role_name,
     a.organization_id,
     o.name,
         CASE
             WHEN (r.rolname IS DISTINCT FROM a.role_name) THEN 'gone'::text
             WHEN (NOT r.rolcanlogin) THEN 'revoked'::text
             WHEN (a.expires_at <= now()) THEN 'expired'::text
             ELSE 'good'::text
         END AS "case",
     app.utc_text(a.created_at) AS utc_text,
     app.utc_text(a.expires_at) AS utc_text
    FROM ((auth.analyst a
      JOIN app.organization o ON ((o.organization_id = a.organization_id)))
      LEFT JOIN pg_roles r ON ((r.oid = a.role_oid)))
   WHERE ((a.organization_id = analysts.organization_id) OR (analysts.organization_id IS NULL))
   ORDER BY a.created_at, a.role_name;
END;

ALTER FUNCTION admin.analysts(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.analysts(organization_id uuid) IS 'The analysts of an organization, the oldest first. organization_id: null for all organizations.

state: "good", "expired", "revoked" (the login is being removed) or "gone" (the cluster has no such login; leads bi revoke
removes the entry).';

CREATE FUNCTION api.schema_version() RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT 1;
END;

ALTER FUNCTION api.schema_version() OWNER TO leads_exec;

COMMENT ON FUNCTION api.schema_version() IS 'The number of the newest migration of this schema. api.release_version is the version of the release.';

CREATE TABLE api.operation (
    function text NOT NULL,
    tag text NOT NULL,
    request text,
    rule json,
    answer text,
    form text,
    statuses integer[] DEFAULT '{200}'::integer[] NOT NULL,
    headers text[] DEFAULT '{}'::text[] NOT NULL,
    problems text[] DEFAULT '{}'::text[] NOT NULL,
    parameters json DEFAULT '{}'::json NOT NULL,
    examples json DEFAULT '{}'::json NOT NULL,
    CONSTRAINT operation_examples_are_an_object CHECK ((json_typeof(examples) = 'object'::text)),
    CONSTRAINT operation_form_is_known CHECK ((form = ANY (ARRAY['object'::text, 'list'::text, 'page'::text, 'one_or_list'::text, 'export'::text]))),
    CONSTRAINT operation_headers_are_names CHECK ((array_to_string(headers, ''::text, '?'::text) ~ '^[A-Za-z0-9-]*$'::text)),
    CONSTRAINT operation_parameters_are_an_object CHECK ((json_typeof(parameters) = 'object'::text)),
    CONSTRAINT operation_rule_is_an_object CHECK ((json_typeof(rule) = 'object'::text)),
    CONSTRAINT operation_shows_types_of_api CHECK (((request ~ '^api\.[a-z_][a-z0-9_]*$'::text) AND (answer ~ '^api\.[a-z_][a-z0-9_]*$'::text))),
    CONSTRAINT operation_succeeds_with_statuses_of_success CHECK (((200 <= ALL (statuses)) AND (299 >= ALL (statuses)) AND (cardinality(statuses) > 0)))
);

ALTER TABLE api.operation OWNER TO leads_owner;

COMMENT ON TABLE api.operation IS 'What the reference says about an endpoint and the catalogue cannot: a row for each function. api.document writes it.';

COMMENT ON COLUMN api.operation.function IS 'The function of the route, with its schema.';

COMMENT ON COLUMN api.operation.tag IS 'The chapter of the reference.';

COMMENT ON COLUMN api.operation.request IS 'The type of the body. Null: there is no body, or it is any JSON object.';

COMMENT ON COLUMN api.operation.rule IS 'The JSON Schema of the body if the type alone does not describe it. "$body" stands for the type.';

COMMENT ON COLUMN api.operation.answer IS 'The type of the answer. Null: any JSON.';

COMMENT ON COLUMN api.operation.form IS 'How the answer shows its type: object, list ({"data": […]}), page (a list with next_cursor), one_or_list (an object or a list, as in the request), or export (lines of NDJSON or CSV). Null: page if the function has the argument cursor, else object.';

COMMENT ON COLUMN api.operation.statuses IS 'The statuses of success.';

COMMENT ON COLUMN api.operation.headers IS 'The headers of a success, besides those that every response has.';

COMMENT ON COLUMN api.operation.problems IS 'The error codes that the function raises, besides those that follow from the method, the path and the arguments.';

COMMENT ON COLUMN api.operation.parameters IS 'Descriptions of parameters, by name, where api.parameter has none or another.';

COMMENT ON COLUMN api.operation.examples IS 'Examples by "request" and by status, where those of the types would mislead.';

CREATE TABLE api.route (
    method text NOT NULL,
    path text NOT NULL,
    function text NOT NULL,
    scope text,
    wait_seconds integer,
    wait_function text,
    media_types text[] DEFAULT '{application/json}'::text[] NOT NULL,
    max_body_bytes integer DEFAULT 65536 NOT NULL,
    timeout_seconds integer DEFAULT 10 NOT NULL,
    is_streamed boolean DEFAULT false NOT NULL,
    key_parameter text,
    CONSTRAINT route_has_its_key_in_the_path CHECK ((strpos(path, (('{'::text || key_parameter) || '}'::text)) > 0)),
    CONSTRAINT route_has_media_types CHECK (((cardinality(media_types) > 0) AND (array_position(media_types, NULL::text) IS NULL))),
    CONSTRAINT route_method_is_known CHECK ((method = ANY (ARRAY['GET'::text, 'POST'::text, 'PUT'::text, 'PATCH'::text, 'DELETE'::text, 'OPTIONS'::text]))),
    CONSTRAINT route_path_is_absolute CHECK ((path ~ '^(/[^/?#]+)+$'::text)),
    CONSTRAINT route_scope_is_known CHECK ((scope = ANY (ARRAY['read'::text, 'write'::text, 'admin'::text, 'form'::text]))),
    CONSTRAINT route_takes_a_body_of_at_most_16_mib CHECK (((max_body_bytes >= 1) AND (max_body_bytes <= 16777216))),
    CONSTRAINT route_takes_at_most_5_minutes CHECK (((timeout_seconds >= 1) AND (timeout_seconds <= 300))),
    CONSTRAINT route_waits_by_a_function CHECK (((wait_seconds IS NULL) = (wait_function IS NULL))),
    CONSTRAINT route_waits_for_at_most_a_minute CHECK (((wait_seconds >= 1) AND (wait_seconds <= 60)))
);

ALTER TABLE api.route OWNER TO leads_owner;

COMMENT ON TABLE api.route IS 'The routes: which function answers a method on a path. A server reads them again on NOTIFY leads_routes.';

COMMENT ON COLUMN api.route.method IS 'The HTTP method. A route of GET also answers HEAD.';

COMMENT ON COLUMN api.route.path IS 'The path below /api/v1, such as /leads/{id}. A name in braces is an argument of the function.';

COMMENT ON COLUMN api.route.function IS 'The function that answers, with its schema. It returns api.answer.';

COMMENT ON COLUMN api.route.scope IS 'The scope that the key needs. Null: the route needs no key.';

COMMENT ON COLUMN api.route.wait_seconds IS 'How many seconds the server holds a 202 back, without a connection, for a result that another transaction writes. It does not wait if Retry-After is longer than the rest of the time.';

COMMENT ON COLUMN api.route.wait_function IS 'The function that reads this result. It takes its arguments by name from those of the route.';

COMMENT ON COLUMN api.route.media_types IS 'The media types that the request''s body may have.';

COMMENT ON COLUMN api.route.max_body_bytes IS 'The maximum size of the request''s body, compressed or not.';

COMMENT ON COLUMN api.route.timeout_seconds IS 'How many seconds the statement may take. If they are more than 10, the server runs it on a connection that it keeps for long statements.';

COMMENT ON COLUMN api.route.is_streamed IS 'Whether the server sends the body page by page: it calls the function again with each Next-Cursor, until there is none.';

COMMENT ON COLUMN api.route.key_parameter IS 'The parameter of the path that is the key, such as token in /in/{token}. Logs do not show it. Null: the key is in the header Authorization.';

CREATE FUNCTION admin.api_findings(release integer) RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 WITH route AS (
          SELECT r.method,
             r.path,
             r.function,
             o.request,
             o.answer,
             format('route %s %s'::text, r.method, r.path) AS subject,
             format('delete from api.route where method = %L and path = %L; call app.notify(''leads_routes'');'::text, r.method, r.path) AS removal,
             (f.oid)::regprocedure AS name,
             f.oid,
             f.provolatile AS volatility,
             f.prorettype AS returned
            FROM ((api.route r
              LEFT JOIN api.operation o ON ((o.function = r.function)))
              LEFT JOIN pg_proc f ON ((f.oid = (
                 CASE
                     WHEN (r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$'::text) THEN to_regproc(r.function)
                     ELSE NULL::regproc
                 END)::oid)))
         )
  SELECT 'version'::text,
     format('The schema is at version %s, and this release needs %s.'::text, api.schema_version(), api_findings.release) AS format,
     'leads migrate'::text
   WHERE (api.schema_version() < api_findings.release)
 UNION ALL
  SELECT 'version'::text,
     format('The schema is at version %s, and this release goes up to %s.'::text, api.schema_version(), api_findings.release) AS format,
     'Install the release that the schema was migrated by.'::text
   WHERE (api.schema_version() > api_findings.release)
 UNION ALL
  SELECT r.subject,
     format('There is no function %s, or there are several with this name.'::text, r.function) AS format,
     r.removal
    FROM route r
   WHERE (r.oid IS NULL)
 UNION ALL
  SELECT r.subject,
     format('%s doesn''t return api.answer.'::text, r.name) AS format,
     r.removal
    FROM route r
   WHERE (r.returned <> ('api.answer'::regtype)::oid)
 UNION ALL
  SELECT r.subject,
     format('There is no composite type %s, so the reference shows any JSON.'::text, t.name) AS format,
     format('update api.operation set %I = null where function = %L; call app.notify(''leads_routes'');'::text, t.field, r.function) AS format
    FROM (route r
      CROSS JOIN LATERAL ( VALUES ('request'::text,r.request), ('answer'::text,r.answer)) t(field, name))
   WHERE ((t.name IS NOT NULL) AND (to_regclass(t.name) IS NULL))
 UNION ALL
  SELECT ('function '::text || r.name),
     format('It is VOLATILE, and GET %s calls it: a GET must not write.'::text, r.path) AS format,
     format('alter function %s stable;'::text, r.name) AS format
    FROM route r
   WHERE ((r.method = 'GET'::text) AND (r.volatility = 'v'::"char"))
 UNION ALL
  SELECT format('grant execute on routine %s to leads_api'::text, r.name) AS format,
     format('It is missing, and %s %s needs it.'::text, r.method, r.path) AS format,
     format('grant execute on routine %s to leads_api;'::text, r.name) AS format
    FROM (route r
      JOIN pg_roles l ON ((l.rolname = 'leads_api'::name)))
   WHERE (NOT has_function_privilege(l.oid, r.oid, 'execute'::text));
END;

ALTER FUNCTION admin.api_findings(release integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.api_findings(release integer) IS 'Findings of the groups version and routes, in the form of admin.findings().

release: the number of the newest migration that the calling program has. Null: the version is not checked.';

CREATE FUNCTION admin.backtest_leads(organization_id uuid) RETURNS TABLE(lead_id uuid, is_qualified boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_ids uuid[];
  v_are_qualified boolean[];
begin
  perform admin.organization(backtest_leads.organization_id);
  select
    coalesce(array_agg(l.id), '{}'), coalesce(array_agg(l.qualification_completed_at is not null), '{}')
  into v_ids, v_are_qualified
  from app.lead as l
  where l.organization_id = backtest_leads.organization_id and l.pipeline_stage in ('won', 'lost');
  perform audit.record_read(backtest_leads.organization_id, 'admin.backtest_leads', v_ids);
  return query select u.id, u.is_qualified from unnest(v_ids, v_are_qualified) as u (id, is_qualified);
end $$;

ALTER FUNCTION admin.backtest_leads(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.backtest_leads(organization_id uuid) IS 'The leads that are won or lost, and whether each was ever qualified. Writes the event lead.read. Raises PT404 organization_not_found.';

CREATE FUNCTION admin.backtest_scoring_model(organization_id uuid, document jsonb, lead_ids uuid[] DEFAULT NULL::uuid[]) RETURNS TABLE(lead_id uuid, is_won boolean, lead_score integer, score_in_force integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(backtest_scoring_model.organization_id)).organization_id;
  v_in_force jsonb := (scoring.model_in_force(v_organization_id)).document;
  v_ids uuid[];
  v_instants timestamptz[];
  v_are_won boolean[];
begin
  perform admin.check_scoring_model(backtest_scoring_model.document);
  v_ids := coalesce(
    backtest_scoring_model.lead_ids,
    array(
      select l.id from app.lead as l
      where l.organization_id = v_organization_id and l.pipeline_stage in ('won', 'lost')
    )
  );
  select array_agg(l.id), array_agg(l.qualification_completed_at), array_agg(l.pipeline_stage = 'won')
  into v_ids, v_instants, v_are_won
  from unnest(v_ids) as i (id)
  join app.lead as l on l.organization_id = v_organization_id and l.id = i.id
  where l.pipeline_stage in ('won', 'lost') and l.qualification_completed_at is not null;
  perform audit.record_read(v_organization_id, 'admin.backtest_scoring_model', coalesce(v_ids, '{}'));

  return query
  select l.id, l.is_won, r.lead_score, f.lead_score
  from unnest(v_ids, v_are_won) as l (id, is_won)
  join scoring.compute_scores(v_organization_id, v_ids, v_instants, backtest_scoring_model.document, false) as r
    on r.lead_id = l.id
  join scoring.compute_scores(v_organization_id, v_ids, v_instants, v_in_force, false) as f on f.lead_id = l.id;
end $$;

ALTER FUNCTION admin.backtest_scoring_model(organization_id uuid, document jsonb, lead_ids uuid[]) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.backtest_scoring_model(organization_id uuid, document jsonb, lead_ids uuid[]) IS 'Scores each lead that is won or lost, with the signals that were observed before its qualification. Stores no score.

lead_ids: ids from admin.backtest_leads without repetitions; null for all leads in one statement. Leads that were never
qualified are left out. A lead''s own fields have their present values. score_in_force: the score that the model in force
gives. Writes the event lead.read. Raises PT404 organization_not_found, PT422 invalid_model.';

CREATE FUNCTION admin.bind_analyst(login text, organization_id uuid, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization app.organization_values := admin.organization(bind_analyst.organization_id);
  v_oid oid := (select r.oid from pg_catalog.pg_roles as r where r.rolname = bind_analyst.login);
begin
  -- This entry belongs to a login that was dropped. The new login has its oid.
  delete from auth.analyst as a where a.role_oid = v_oid and a.role_name <> bind_analyst.login;
  insert into auth.analyst (organization_id, role_oid, role_name, expires_at)
  values (v_organization.organization_id, v_oid, bind_analyst.login, bind_analyst.expires_at);
end $$;

ALTER FUNCTION admin.bind_analyst(login text, organization_id uuid, expires_at timestamp with time zone) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.bind_analyst(login text, organization_id uuid, expires_at timestamp with time zone) IS 'Binds a login, by its oid and name, to one organization. Only admin.create_analyst calls it: no login may execute it.

Raises PT404 organization_not_found, and 23505 analyst_role_oid_is_unique if the login is already bound.';

CREATE FUNCTION admin.catalogue() RETURNS TABLE(object text, definition text, removal text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET bytea_output TO 'hex'
    SET extra_float_digits TO '1'
    SET jit TO 'off'
    BEGIN ATOMIC
 WITH relation AS (
          SELECT r.oid,
             r.name,
             r.kind,
             r.noun,
             r.owner_id,
             (r.owner_id)::regrole AS owner,
             r.acl,
             r.persistence,
             r.has_rls,
             r.forces_rls,
             ( SELECT string_agg(o.option, ', '::text ORDER BY o.option) AS string_agg
                    FROM unnest(r.options) o(option)) AS options
            FROM admin.relation r
           WHERE (NOT r.is_partition)
         ), attribute AS (
          SELECT a.attrelid AS relation,
             a.attnum AS "position",
             quote_ident((a.attname)::text) AS name,
             a.attacl AS acl,
             concat_ws(' '::text, format_type(a.atttypid, a.atttypmod),
                 CASE
                     WHEN (a.attcollation <> t.typcollation) THEN ('collate '::text || (a.attcollation)::regcollation)
                     ELSE NULL::text
                 END,
                 CASE a.attgenerated
                     WHEN 's'::"char" THEN 'generated always as'::text
                     WHEN 'v'::"char" THEN 'virtual as'::text
                     ELSE
                     CASE a.attidentity
                         WHEN 'a'::"char" THEN 'identity always'::text
                         WHEN 'd'::"char" THEN 'identity'::text
                         ELSE
                         CASE
                             WHEN (d.oid IS NOT NULL) THEN 'default'::text
                             ELSE NULL::text
                         END
                     END
                 END, pg_get_expr(d.adbin, d.adrelid),
                 CASE
                     WHEN a.attnotnull THEN 'not null'::text
                     ELSE NULL::text
                 END, ('statistics '::text || NULLIF(a.attstattarget, '-1'::integer))) AS definition
            FROM ((pg_attribute a
              JOIN pg_type t ON ((t.oid = a.atttypid)))
              LEFT JOIN pg_attrdef d ON (((d.adrelid = a.attrelid) AND (d.adnum = a.attnum))))
           WHERE ((a.attnum > 0) AND (NOT a.attisdropped))
         ), routine AS (
          SELECT p.oid,
             p.proowner AS owner_id,
             (p.proowner)::regrole AS owner,
             p.proacl AS acl,
             p.prokind AS kind,
             (
                 CASE p.prokind
                     WHEN 'a'::"char" THEN 'aggregate '::text
                     WHEN 'p'::"char" THEN 'procedure '::text
                     ELSE 'function '::text
                 END || (p.oid)::regprocedure) AS name
            FROM pg_proc p
           WHERE (p.pronamespace IN ( SELECT s.oid
                    FROM admin.schema s))
         ), type AS (
          SELECT t.oid,
             format_type(t.oid, NULL::integer) AS name,
             t.typowner AS owner_id,
             (t.typowner)::regrole AS owner,
             t.typacl AS acl,
             (
                 CASE t.typtype
                     WHEN 'd'::"char" THEN 'domain '::text
                     ELSE 'type '::text
                 END || format_type(t.oid, NULL::integer)) AS noun_and_name,
                 CASE t.typtype
                     WHEN 'd'::"char" THEN concat_ws(' '::text, 'as', format_type(t.typbasetype, t.typtypmod),
                     CASE
                         WHEN (t.typcollation <> b.typcollation) THEN ('collate '::text || (t.typcollation)::regcollation)
                         ELSE NULL::text
                     END, ('default '::text || t.typdefault),
                     CASE
                         WHEN t.typnotnull THEN 'not null'::text
                         ELSE NULL::text
                     END, ( SELECT string_agg(format('constraint %I %s'::text, c_1.conname, pg_get_constraintdef(c_1.oid)), ' '::text ORDER BY c_1.conname) AS string_agg
                        FROM pg_constraint c_1
                       WHERE ((c_1.contypid = t.oid) AND (c_1.contype = 'c'::"char"))))
                     WHEN 'e'::"char" THEN format('as enum (%s)'::text, ( SELECT string_agg(quote_literal((e.enumlabel)::text), ', '::text ORDER BY e.enumsortorder) AS string_agg
                        FROM pg_enum e
                       WHERE (e.enumtypid = t.oid)))
                     ELSE format('as (%s)'::text, ( SELECT string_agg(((a.name || ' '::text) || a.definition), ', '::text ORDER BY a."position") AS string_agg
                        FROM attribute a
                       WHERE (a.relation = t.typrelid)))
                 END AS definition
            FROM ((pg_type t
              LEFT JOIN pg_class c ON ((c.oid = t.typrelid)))
              LEFT JOIN pg_type b ON ((b.oid = t.typbasetype)))
           WHERE ((t.typnamespace IN ( SELECT s.oid
                    FROM admin.schema s)) AND ((t.typtype = ANY (ARRAY['d'::"char", 'e'::"char"])) OR ((t.typtype = 'c'::"char") AND (c.relkind = 'c'::"char"))))
         ), acl AS (
          SELECT ('schema '::text || s.name) AS target,
             ''::text AS "column",
             (s.owner)::oid AS owner_id,
             s.acl AS items
            FROM admin.schema s
         UNION ALL
          SELECT (
                 CASE r.kind
                     WHEN 'S'::"char" THEN 'sequence '::text
                     ELSE 'table '::text
                 END || r.name),
             ''::text,
             r.owner_id,
             r.acl
            FROM relation r
         UNION ALL
          SELECT ('table '::text || r.name),
             format(' (%s)'::text, a.name) AS format,
             r.owner_id,
             a.acl
            FROM (relation r
              JOIN attribute a ON ((a.relation = r.oid)))
         UNION ALL
          SELECT ('routine '::text || (f.oid)::regprocedure),
             ''::text,
             f.owner_id,
             COALESCE(f.acl, acldefault('f'::"char", f.owner_id)) AS "coalesce"
            FROM routine f
         UNION ALL
          SELECT ('type '::text || t.name),
             ''::text,
             t.owner_id,
             COALESCE(t.acl, acldefault('T'::"char", t.owner_id)) AS "coalesce"
            FROM type t
         ), privilege AS (
          SELECT format('%s%s on %s'::text, lower(x.privilege_type), a."column", a.target) AS name,
                 CASE x.grantee
                     WHEN 0 THEN 'public'::text
                     ELSE ((x.grantee)::regrole)::text
                 END AS grantee,
             bool_or(x.is_grantable) AS is_grantable
            FROM (acl a
              CROSS JOIN LATERAL aclexplode(a.items) x(grantor, grantee, privilege_type, is_grantable))
           WHERE (x.grantee <> a.owner_id)
           GROUP BY (format('%s%s on %s'::text, lower(x.privilege_type), a."column", a.target)),
                 CASE x.grantee
                     WHEN 0 THEN 'public'::text
                     ELSE ((x.grantee)::regrole)::text
                 END
         )
  SELECT 'server'::text,
     ('PostgreSQL '::text || ((current_setting('server_version_num'::text))::integer / 10000)),
     NULL::text AS text
 UNION ALL
  SELECT ('role '::text || r.name),
     format('alter role %I %s;'::text, r.name, concat_ws(' '::text,
         CASE
             WHEN r.is_superuser THEN 'superuser'::text
             ELSE 'nosuperuser'::text
         END,
         CASE
             WHEN r.inherits THEN 'inherit'::text
             ELSE 'noinherit'::text
         END,
         CASE
             WHEN r.can_create_roles THEN 'createrole'::text
             ELSE 'nocreaterole'::text
         END,
         CASE
             WHEN r.can_create_databases THEN 'createdb'::text
             ELSE 'nocreatedb'::text
         END,
         CASE
             WHEN r.can_login THEN 'login'::text
             ELSE 'nologin'::text
         END,
         CASE
             WHEN r.can_replicate THEN 'replication'::text
             ELSE 'noreplication'::text
         END,
         CASE
             WHEN r.bypasses_rls THEN 'bypassrls'::text
             ELSE 'nobypassrls'::text
         END)) AS format,
     NULL::text
    FROM admin.role r
   WHERE (r.oid IS NOT NULL)
 UNION ALL
  SELECT DISTINCT format('membership of %I in %s'::text, r.name, (m.roleid)::regrole) AS format,
     format('grant %s to %I;'::text, (m.roleid)::regrole, r.name) AS format,
     format('revoke %s from %I;'::text, (m.roleid)::regrole, r.name) AS format
    FROM (pg_auth_members m
      JOIN admin.role r ON ((r.oid = m.member)))
   WHERE (((m.roleid)::regrole)::text <> 'pg_use_reserved_connections'::text)
 UNION ALL
  SELECT ('schema '::text || s.name),
     format('alter schema %s owner to %s;'::text, s.name, s.owner) AS format,
     format('drop schema %s;'::text, s.name) AS format
    FROM admin.schema s
 UNION ALL
  SELECT format('grant %s to %s'::text, p.name, p.grantee) AS format,
     format('grant %s to %s;'::text, p.name, p.grantee) AS format,
     format('revoke %s from %s;'::text, p.name, p.grantee) AS format
    FROM privilege p
 UNION ALL
  SELECT format('grant option for %s to %s'::text, p.name, p.grantee) AS format,
     format('grant %s to %s with grant option;'::text, p.name, p.grantee) AS format,
     format('revoke grant option for %s from %s;'::text, p.name, p.grantee) AS format
    FROM privilege p
   WHERE p.is_grantable
 UNION ALL
  SELECT format('default privileges of %s on %s%s'::text, (d.defaclrole)::regrole, t.noun, (' in '::text || (NULLIF(d.defaclnamespace, (0)::oid))::regnamespace)) AS format,
     ( SELECT string_agg(concat_ws(' '::text, lower(x.privilege_type), 'to',
                 CASE x.grantee
                     WHEN 0 THEN 'public'::text
                     ELSE ((x.grantee)::regrole)::text
                 END), ', '::text ORDER BY x.privilege_type, ((x.grantee)::regrole)::text) AS string_agg
            FROM aclexplode(d.defaclacl) x(grantor, grantee, privilege_type, is_grantable)) AS string_agg,
     NULL::text
    FROM (pg_default_acl d
      JOIN ( VALUES ('r'::"char",'tables'::text), ('S'::"char",'sequences'::text), ('f'::"char",'functions'::text), ('T'::"char",'types'::text), ('n'::"char",'schemas'::text), ('L'::"char",'large objects'::text)) t(kind, noun) ON ((t.kind = d.defaclobjtype)))
   WHERE (d.defaclrole IN ( SELECT r.oid
            FROM admin.role r))
 UNION ALL
  SELECT ((r.noun || ' '::text) || r.name),
         CASE r.kind
             WHEN 'v'::"char" THEN format('create or replace view %s%s as
%s
alter view %1$s owner to %4$s;'::text, r.name, ((' with ('::text || r.options) || ')'::text), pg_get_viewdef(r.oid), r.owner)
             WHEN 'm'::"char" THEN format('owner %s as %s'::text, r.owner, pg_get_viewdef(r.oid))
             WHEN 'S'::"char" THEN format('alter sequence %s as %s start %s increment %s minvalue %s maxvalue %s cache %s %s owner to %s;'::text, r.name, (s.seqtypid)::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
             CASE
                 WHEN s.seqcycle THEN 'cycle'::text
                 ELSE 'no cycle'::text
             END, r.owner)
             ELSE format('alter %s %s %s;'::text, r.noun, r.name, concat_ws(', '::text, format('owner to %s'::text, r.owner),
             CASE
                 WHEN r.has_rls THEN 'enable row level security'::text
                 ELSE 'disable row level security'::text
             END,
             CASE
                 WHEN r.forces_rls THEN 'force row level security'::text
                 ELSE 'no force row level security'::text
             END,
             CASE
                 WHEN (r.kind = 'r'::"char") THEN
                 CASE r.persistence
                     WHEN 'u'::"char" THEN 'set unlogged'::text
                     ELSE 'set logged'::text
                 END
                 ELSE NULL::text
             END, (('set ('::text || r.options) || ')'::text)))
         END AS format,
     format('drop %s %s;'::text, r.noun, r.name) AS format
    FROM (relation r
      LEFT JOIN pg_sequence s ON ((s.seqrelid = r.oid)))
 UNION ALL
  SELECT format('column %s.%s'::text, r.name, a.name) AS format,
     a.definition,
     format('alter table %s drop column %s;'::text, r.name, a.name) AS format
    FROM (relation r
      JOIN attribute a ON ((a.relation = r.oid)))
   WHERE (r.kind = ANY (ARRAY['r'::"char", 'p'::"char", 'f'::"char"]))
 UNION ALL
  SELECT format('constraint %I on %s'::text, c.conname, r.name) AS format,
     format('alter table %s drop constraint if exists %I;
alter table %1$s add constraint %2$I %3$s;'::text, r.name, c.conname, pg_get_constraintdef(c.oid)) AS format,
     format('alter table %s drop constraint %I;'::text, r.name, c.conname) AS format
    FROM (relation r
      JOIN pg_constraint c ON ((c.conrelid = r.oid)))
   WHERE (c.contype = ANY (ARRAY['c'::"char", 'f'::"char", 'p'::"char", 'u'::"char", 'x'::"char"]))
 UNION ALL
  SELECT format('index %s on %s'::text, (i.indexrelid)::regclass, r.name) AS format,
     concat_ws('
'::text, format('drop index if exists %s;'::text, (i.indexrelid)::regclass), (pg_get_indexdef(i.indexrelid) || ';'::text),
         CASE
             WHEN (NOT i.indisvalid) THEN '-- invalid'::text
             ELSE NULL::text
         END, ( SELECT string_agg(format('alter index %s alter column %s set statistics %s;'::text, (i.indexrelid)::regclass, a.attnum, a.attstattarget), '
'::text ORDER BY a.attnum) AS string_agg
            FROM pg_attribute a
           WHERE ((a.attrelid = i.indexrelid) AND (a.attstattarget >= 0)))) AS concat_ws,
     format('drop index %s;'::text, (i.indexrelid)::regclass) AS format
    FROM (relation r
      JOIN pg_index i ON ((i.indrelid = r.oid)))
   WHERE (NOT (EXISTS ( SELECT
            FROM pg_constraint c
           WHERE ((c.conindid = i.indexrelid) AND (c.contype = ANY (ARRAY['p'::"char", 'u'::"char", 'x'::"char"]))))))
 UNION ALL
  SELECT format('trigger %I on %s'::text, t.tgname, r.name) AS format,
     concat_ws('
'::text, format('drop trigger if exists %I on %s;'::text, t.tgname, r.name), (pg_get_triggerdef(t.oid) || ';'::text),
         CASE t.tgenabled
             WHEN 'A'::"char" THEN format('alter table %s enable always trigger %I;'::text, r.name, t.tgname)
             WHEN 'R'::"char" THEN format('alter table %s enable replica trigger %I;'::text, r.name, t.tgname)
             WHEN 'D'::"char" THEN format('alter table %s disable trigger %I;'::text, r.name, t.tgname)
             ELSE NULL::text
         END) AS concat_ws,
     format('drop trigger %I on %s;'::text, t.tgname, r.name) AS format
    FROM (relation r
      JOIN pg_trigger t ON ((t.tgrelid = r.oid)))
   WHERE (NOT t.tgisinternal)
 UNION ALL
  SELECT format('policy %I on %s'::text, p.polname, r.name) AS format,
     format('drop policy if exists %I on %s;
create policy %1$I on %2$s as %3$s for %4$s to %5$s%6$s%7$s;'::text, p.polname, r.name,
         CASE
             WHEN p.polpermissive THEN 'permissive'::text
             ELSE 'restrictive'::text
         END,
         CASE p.polcmd
             WHEN 'r'::"char" THEN 'select'::text
             WHEN 'a'::"char" THEN 'insert'::text
             WHEN 'w'::"char" THEN 'update'::text
             WHEN 'd'::"char" THEN 'delete'::text
             ELSE 'all'::text
         END, ( SELECT string_agg(
                 CASE g.id
                     WHEN 0 THEN 'public'::text
                     ELSE ((g.id)::regrole)::text
                 END, ', '::text ORDER BY ((g.id)::regrole)::text) AS string_agg
            FROM unnest(p.polroles) g(id)), ((' using ('::text || pg_get_expr(p.polqual, p.polrelid)) || ')'::text), ((' with check ('::text || pg_get_expr(p.polwithcheck, p.polrelid)) || ')'::text)) AS format,
     format('drop policy %I on %s;'::text, p.polname, r.name) AS format
    FROM (relation r
      JOIN pg_policy p ON ((p.polrelid = r.oid)))
 UNION ALL
  SELECT format('rule %I on %s'::text, w.rulename, r.name) AS format,
     pg_get_ruledef(w.oid) AS pg_get_ruledef,
     format('drop rule %I on %s;'::text, w.rulename, r.name) AS format
    FROM (relation r
      JOIN pg_rewrite w ON ((w.ev_class = r.oid)))
   WHERE (w.rulename <> '_RETURN'::name)
 UNION ALL
  SELECT f.name,
         CASE
             WHEN (f.kind = 'a'::"char") THEN format('owner %s'::text, f.owner)
             ELSE format('%s;
alter routine %s owner to %s;'::text, rtrim(pg_get_functiondef(f.oid), '
'::text), (f.oid)::regprocedure, f.owner)
         END AS format,
     format('drop %s;'::text, f.name) AS format
    FROM routine f
 UNION ALL
  SELECT t.noun_and_name,
     format('create %s %s;
alter %1$s owner to %3$s;'::text, t.noun_and_name, t.definition, t.owner) AS format,
     format('drop %s;'::text, t.noun_and_name) AS format
    FROM type t
 UNION ALL
  SELECT DISTINCT format('%s %s'::text, replace(o.type, ' object'::text, ''::text), o.identity) AS format,
     ''::text,
     format('drop %s %s;'::text, replace(o.type, ' object'::text, ''::text), o.identity) AS format
    FROM (pg_depend d
      CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) o(type, schema, name, identity))
   WHERE ((d.refclassid = ('pg_namespace'::regclass)::oid) AND (d.refobjid IN ( SELECT s.oid
            FROM admin.schema s)) AND (d.classid <> ALL (ARRAY[('pg_class'::regclass)::oid, ('pg_proc'::regclass)::oid, ('pg_type'::regclass)::oid, ('pg_default_acl'::regclass)::oid])));
END;

ALTER FUNCTION admin.catalogue() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.catalogue() IS 'Every object of our schemas, every privilege on them, and our roles. The text doesn''t depend on the session''s settings.

definition: SQL that creates or restores the object and ends with a semicolon. If no single statement could, it is a
description without a semicolon. removal: SQL that removes the object; null if it can''t be removed.';

CREATE FUNCTION app.id_time(id uuid) RETURNS timestamp with time zone
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return timestamptz 'epoch'
    + ('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint * interval '1 millisecond';
end $$;

ALTER FUNCTION app.id_time(id uuid) OWNER TO leads_owner;

COMMENT ON FUNCTION app.id_time(id uuid) IS 'The time in a UUID of version 7 (RFC 9562, section 5.7) in milliseconds; no meaning for others. Exact to 2^56 µs, year 4253.';

CREATE TABLE audit.seal (
    organization_id uuid NOT NULL,
    "position" bigint NOT NULL,
    event_id uuid NOT NULL,
    event_hash bytea NOT NULL,
    hash bytea NOT NULL,
    created_at timestamp(3) with time zone NOT NULL,
    sealed_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, clock_timestamp()) NOT NULL,
    CONSTRAINT seal_created_at_is_the_time_of_its_event CHECK ((created_at = app.id_time(event_id))),
    CONSTRAINT seal_hashes_have_32_bytes CHECK (((octet_length(event_hash) = 32) AND (octet_length(hash) = 32))),
    CONSTRAINT seal_position_is_positive CHECK (("position" > 0))
)
PARTITION BY RANGE (created_at);
ALTER TABLE ONLY audit.seal ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY audit.seal ALTER COLUMN "position" SET STATISTICS 0;
ALTER TABLE ONLY audit.seal ALTER COLUMN event_id SET STATISTICS 0;
ALTER TABLE ONLY audit.seal ALTER COLUMN event_hash SET STATISTICS 0;
ALTER TABLE ONLY audit.seal ALTER COLUMN hash SET STATISTICS 0;
ALTER TABLE ONLY audit.seal ALTER COLUMN created_at SET STATISTICS 0;
ALTER TABLE ONLY audit.seal ALTER COLUMN sealed_at SET STATISTICS 0;

ALTER TABLE ONLY audit.seal FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.seal OWNER TO leads_owner;

COMMENT ON TABLE audit.seal IS 'The organization''s chain of hashes: a seal covers an event and all events before it. Append-only. Partitioned by year.';

COMMENT ON COLUMN audit.seal."position" IS 'The event''s position in the chain: 1, 2, 3, … without a gap.';

COMMENT ON COLUMN audit.seal.event_id IS 'The event''s id.';

COMMENT ON COLUMN audit.seal.event_hash IS 'The event''s own hash, from audit.event_hash. With it the chain can be computed without the events.';

COMMENT ON COLUMN audit.seal.hash IS 'SHA-256 of the previous seal''s hash and event_hash. The first seal takes SHA-256 of the organization''s 16 bytes as the previous hash.';

COMMENT ON COLUMN audit.seal.created_at IS 'The event''s created_at.';

COMMENT ON COLUMN audit.seal.sealed_at IS 'When it was sealed.';

CREATE TABLE audit.unsealed (
    organization_id uuid NOT NULL,
    event_id uuid NOT NULL
);
ALTER TABLE ONLY audit.unsealed ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY audit.unsealed ALTER COLUMN event_id SET STATISTICS 0;

ALTER TABLE ONLY audit.unsealed FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.unsealed OWNER TO leads_owner;

COMMENT ON TABLE audit.unsealed IS 'The queue of events that have no seal yet, so that an event that commits late is not skipped. A worker seals them every second.';

COMMENT ON COLUMN audit.unsealed.event_id IS 'The event''s id.';

CREATE FUNCTION admin.chain_heads(organization_id uuid DEFAULT NULL::uuid) RETURNS TABLE(organization_id uuid, head text, sealed_at text, unsealed bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET enable_sort TO 'off'
    BEGIN ATOMIC
 SELECT o.organization_id,
     ((h."position" || ':'::text) || encode(h.hash, 'hex'::text)),
     app.utc_text(h.sealed_at) AS utc_text,
     ( SELECT count(*) AS count
            FROM audit.unsealed u
           WHERE (u.organization_id = o.organization_id)) AS count
    FROM (app.organization o
      LEFT JOIN LATERAL ( SELECT s."position",
             s.hash,
             s.sealed_at
            FROM audit.seal s
           WHERE (s.organization_id = o.organization_id)
           ORDER BY s."position" DESC
          LIMIT 1) h ON (true))
   WHERE ((o.organization_id = chain_heads.organization_id) OR (chain_heads.organization_id IS NULL))
   ORDER BY o.organization_id;
END;

ALTER FUNCTION admin.chain_heads(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.chain_heads(organization_id uuid) IS 'The head of an organization''s chain; null: of every organization''s.

head: position and hash, in the format that audit.chain_verdict takes; null if nothing is sealed yet. sealed_at: UTC.
unsealed: the number of events that have no seal yet.';

CREATE FUNCTION admin.change_crm_connection(organization_id uuid, change text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := (admin.organization(change_crm_connection.organization_id)).organization_id;
begin
  case change_crm_connection.change
    when 'pause' then
      update crm.connection as c set state = 'paused', fault = null where c.organization_id = v_organization_id;
    when 'resume' then
      update crm.connection as c
      set state = 'active', fault = null, blocked_until = null
      where c.organization_id = v_organization_id;
    when 'disconnect' then
      delete from crm.connection as c where c.organization_id = v_organization_id;
    else
      raise sqlstate 'PT422' using
        message = 'unknown_change', hint = 'The change must be pause, resume or disconnect.';
  end case;
  if not found then
    raise sqlstate 'PT404' using
      message = 'connection_not_found',
      hint = 'The organization has no connection to a CRM. To create one, run: leads crm connect';
  end if;
  if change_crm_connection.change = 'resume' then
    perform crm.push_skipped(v_organization_id);
  end if;
  call app.notify('leads_crm');
end $$;

ALTER FUNCTION admin.change_crm_connection(organization_id uuid, change text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.change_crm_connection(organization_id uuid, change text) IS 'Pauses, resumes or removes the organization''s connection.

change: "pause": requested pushes wait, and pushes on a change of stage are skipped. "resume": also after the vendor has
rejected the credential; what was skipped for that reason is pushed. "disconnect": deletes the connection with its credential. The syncs stay, and continue if the same
account is connected again. Raises PT404 organization_not_found and connection_not_found, PT422 unknown_change.';

CREATE FUNCTION admin.check_scoring_model(document jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_faults json := scoring.model_faults(check_scoring_model.document);
begin
  if v_faults is not null then
    raise sqlstate 'PT422' using
      message = 'invalid_model',
      detail = v_faults::text,
      hint = format(
        'The scoring model has %s errors. The first is in %s: %s',
        json_array_length(v_faults), v_faults -> 0 ->> 'field', v_faults -> 0 ->> 'detail'
      );
  end if;
end $$;

ALTER FUNCTION admin.check_scoring_model(document jsonb) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.check_scoring_model(document jsonb) IS 'Raises PT422 invalid_model if the model has errors. DETAIL has all of them, as a JSON array of {field, code, detail}.';

CREATE FUNCTION admin.connect_crm(organization_id uuid, vendor text, account text, settings jsonb, credential bytea DEFAULT NULL::bytea, credential_key text DEFAULT NULL::text, push_stage text DEFAULT NULL::text, settle_seconds integer DEFAULT NULL::integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization app.organization_values := admin.organization(connect_crm.organization_id);
  v_vendor crm.vendor;
begin
  select v.* into v_vendor from crm.vendor as v where v.name = connect_crm.vendor;
  if not found then
    raise sqlstate 'PT404' using message = 'vendor_not_found', hint = format(
      'There is no adapter for "%s". The vendors with an adapter are: %s.', connect_crm.vendor,
      (select string_agg(v.name, ', ' order by v.name) from crm.vendor as v)
    );
  end if;
  if connect_crm.settle_seconds not between 0 and 3600 then
    raise sqlstate 'PT422' using
      message = 'out_of_range', hint = 'settle_seconds must be a whole number from 0 to 3600.';
  end if;
  if (connect_crm.credential is null) <> (v_organization.environment = 'test') then
    raise sqlstate 'PT422' using message = 'invalid_credential', hint = case v_organization.environment
      when 'test' then 'A test organization has no credential, because its pushes are simulated.'
      else 'A connection needs the vendor''s credential.'
    end;
  end if;

  insert into crm.connection as c (
    organization_id, vendor, account, push_stage, settings, settle_seconds, credential, credential_key
  )
  values (
    v_organization.organization_id,
    v_vendor.name,
    connect_crm.account,
    coalesce(connect_crm.push_stage, 'qualified'),
    connect_crm.settings,
    coalesce(connect_crm.settle_seconds, v_vendor.settle_seconds),
    connect_crm.credential,
    connect_crm.credential_key
  )
  on conflict (organization_id) do update
  set
    vendor = excluded.vendor,
    account = excluded.account,
    state = 'active',
    fault = null,
    push_stage = coalesce(connect_crm.push_stage, c.push_stage),
    settings = excluded.settings,
    settle_seconds = case
      when connect_crm.settle_seconds is null and c.vendor = excluded.vendor then c.settle_seconds
      else excluded.settle_seconds
    end,
    revision = c.revision + 1,
    credential = excluded.credential,
    credential_key = excluded.credential_key,
    blocked_until = null,
    paced_until = null;
  perform crm.push_skipped(v_organization.organization_id);
  call app.notify('leads_crm');
exception
  when foreign_key_violation then
    raise sqlstate 'PT404' using message = 'stage_not_found', hint = format(
      'The organization has no stage "%s". To list the stages, run: leads organizations stages',
      coalesce(connect_crm.push_stage, 'qualified')
    );
end $$;

ALTER FUNCTION admin.connect_crm(organization_id uuid, vendor text, account text, settings jsonb, credential bytea, credential_key text, push_stage text, settle_seconds integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.connect_crm(organization_id uuid, vendor text, account text, settings jsonb, credential bytea, credential_key text, push_stage text, settle_seconds integer) IS 'Creates the organization''s connection to a CRM, or replaces it. A paused connection becomes active, and
pushes that were skipped because the worker had paused it start.

account: the account at the vendor. Existing syncs with the same account continue. credential: encrypted; null for a test
organization. credential_key: the id of the key that decrypts it. push_stage, settle_seconds: null keeps the values of the
present connection; for a new one they are "qualified" and the vendor''s default. Raises PT404 organization_not_found,
vendor_not_found and stage_not_found, PT422 out_of_range and invalid_credential.';

CREATE FUNCTION admin.create_analyst(login text, organization_id uuid, verifier text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_setting text;
begin
  if create_analyst.login collate "C" !~ '^[a-z_][a-z0-9_]{0,62}$' or create_analyst.login ~ '^(pg_|leads_)' then
    raise sqlstate 'PT422' using message = 'invalid_login', hint =
      'A login must have 1 to 63 characters from a-z, 0-9 and _. It must not begin with a digit, pg_ or leads_. Choose '
      'another name. Every login of the cluster can see it, so don''t use a customer''s name.';
  end if;
  if create_analyst.verifier is null or create_analyst.verifier !~ '^SCRAM-SHA-256\$' then
    raise sqlstate 'PT422' using message = 'invalid_verifier', hint =
      'The verifier must be a SCRAM-SHA-256 verifier (RFC 5803) and not the password.';
  end if;
  if create_analyst.expires_at <= now() then
    raise sqlstate 'PT422' using
      message = 'expired', hint = 'The time of expiry is in the past.';
  end if;
  if exists (select from pg_catalog.pg_roles as r where r.rolname = create_analyst.login) then
    raise sqlstate 'PT409' using message = 'login_exists', hint = format(
      'The login "%s" already exists. Choose another name. If leads bi list shows it, you can drop it: leads bi revoke %s',
      create_analyst.login, create_analyst.login
    );
  end if;

  execute format(
    'create role %I login nosuperuser nocreatedb nocreaterole noreplication inherit password %L '
    'valid until %L',
    create_analyst.login, create_analyst.verifier, coalesce(create_analyst.expires_at::text, 'infinity')
  );
  -- The defaults of a session. The analyst may change them, which gives access to no more rows.
  foreach v_setting in array array[
    'search_path = bi',
    'timezone = ''UTC''',
    'default_transaction_read_only = on',
    'statement_timeout = ''60s''',
    'lock_timeout = ''5s''',
    -- VACUUM can't remove rows that were deleted after an open transaction began.
    'idle_in_transaction_session_timeout = ''60s''',
    'idle_session_timeout = ''8h'''
  ]
  loop
    execute format('alter role %I set %s', create_analyst.login, v_setting);
  end loop;
  perform admin.limit_analyst(create_analyst.login, 20);
  perform admin.bind_analyst(create_analyst.login, create_analyst.organization_id, create_analyst.expires_at);
  -- PostgreSQL 15 has no SET FALSE. Only the policy protects the rows: it checks session_user.
  execute format(
    'grant leads_bi to %I%s',
    create_analyst.login,
    case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set false' end
  );
end $_$;

ALTER FUNCTION admin.create_analyst(login text, organization_id uuid, verifier text, expires_at timestamp with time zone) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.create_analyst(login text, organization_id uuid, verifier text, expires_at timestamp with time zone) IS 'Creates a login that can read the rows of one organization in schema bi. Only the migrating login can execute it, which has
CREATEROLE.

login: 1 to 63 characters from a-z, 0-9 and _. verifier: the password''s SCRAM-SHA-256 verifier (RFC 5803). expires_at: after
this time the login can''t log in and sees no row; null for never. Raises PT404 organization_not_found, PT409 login_exists,
PT422 invalid_login, invalid_verifier and expired; 42501 if the caller lacks CREATEROLE, or ADMIN OPTION on leads_bi.';

CREATE FUNCTION admin.create_audit_partitions() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_year integer := extract(year from now() at time zone 'UTC');
begin
  perform audit.create_partitions(v_year);
  perform audit.create_partitions(v_year + 1);
end $$;

ALTER FUNCTION admin.create_audit_partitions() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.create_audit_partitions() IS 'Creates the partitions of the audit log and its seals for this year and the next one, unless they exist.

Without a partition for the current year every write fails. Raises 55P03 if it can''t get a lock within 2 seconds. The caller
then calls it again.';

CREATE FUNCTION admin.create_form(organization_id uuid, settings jsonb) RETURNS api.form
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := (admin.organization(create_form.organization_id)).organization_id;
  v_form record;
begin
  v_form := intake.create_form(v_organization_id, create_form.settings);
  -- Another statement, which sees the row.
  return intake.form_item(v_organization_id, v_form.form_id, v_form.token);
end $$;

ALTER FUNCTION admin.create_form(organization_id uuid, settings jsonb) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.create_form(organization_id uuid, settings jsonb) IS 'The new form with its address, which is shown once. settings: a JSON object (api.form_input). Raises PT404 organization_not_found, PT409 organization_erased, PT422 validation_failed.';

CREATE FUNCTION admin.create_key(organization_id uuid, scope text, digest bytea, name text DEFAULT NULL::text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_id uuid := app.new_id();
  v_scopes text[] := case create_key.scope
    when 'read' then array['read']
    when 'write' then array['read', 'write']
    when 'admin' then array['read', 'write', 'admin']
  end;
begin
  if v_scopes is null then
    raise sqlstate 'PT422' using message = 'unknown_scope', hint = 'The scopes are read, write and admin.';
  end if;
  if
    app.is_text(app.clean_text(create_key.name), 255) is false
    or app.control_character(app.clean_text(create_key.name)) is not null
  then
    raise sqlstate 'PT422' using
      message = 'invalid_name',
      hint = 'The name must have 1 to 255 characters, and no control characters.';
  end if;
  if create_key.expires_at <= now() then
    raise sqlstate 'PT422' using message = 'expired', hint = 'The time of expiry is in the past.';
  end if;
  insert into auth.api_key (organization_id, id, name, scopes, digest, expires_at)
  values (
    (admin.organization(create_key.organization_id)).organization_id,
    v_id,
    app.clean_text(create_key.name),
    v_scopes,
    create_key.digest,
    create_key.expires_at
  );
  return v_id;
end $$;

ALTER FUNCTION admin.create_key(organization_id uuid, scope text, digest bytea, name text, expires_at timestamp with time zone) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.create_key(organization_id uuid, scope text, digest bytea, name text, expires_at timestamp with time zone) IS 'Stores a new key''s digest, and returns the key''s id.

scope: the highest scope: read, write or admin. digest: SHA-256 of the SHA-256 of the key. The server never has the key itself
here. expires_at: null for never. Raises PT404 organization_not_found, PT422 unknown_scope, invalid_name and expired.';

CREATE FUNCTION admin.create_organization(name text, environment text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := app.new_id();
begin
  if
    app.is_text(app.clean_text(create_organization.name), 255) is not true
    or app.control_character(app.clean_text(create_organization.name)) is not null
  then
    raise sqlstate 'PT422' using
      message = 'invalid_name',
      hint = 'The name must have 1 to 255 characters, and no control characters.';
  end if;
  insert into app.organization (organization_id, name, environment)
  values (v_organization_id, app.clean_text(create_organization.name), create_organization.environment);
  return v_organization_id;
end $$;

ALTER FUNCTION admin.create_organization(name text, environment text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.create_organization(name text, environment text) IS 'Creates an organization with the six default pipeline stages, and returns its id. environment: "live" or "test". Raises PT422 invalid_name.';

CREATE FUNCTION app.is_name(value text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  return octet_length(value) <= 64 and value collate "C" ~ '^[a-z0-9][a-z0-9_-]*$';
end $_$;

ALTER FUNCTION app.is_name(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.is_name(value text) IS 'Whether the value is a machine name of 1 to 64 characters: a-z, 0-9, and after the first character _ and -.';

CREATE FUNCTION audit.record_read(organization_id uuid, function text, lead_ids uuid[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_lead_id uuid := case when cardinality(record_read.lead_ids) = 1 then record_read.lead_ids[1] end;
begin
  perform audit.write_event(
    record_read.organization_id,
    'lead.read',
    v_lead_id,
    concat(
      case when v_lead_id is not null then '"lead_id":"' || v_lead_id || '",' end,
      '"function":', to_json(record_read.function), ',"leads":', cardinality(record_read.lead_ids)
    )
  );
  -- The caller can roll the event back after reading. This line of the server's log stays.
  raise log 'lead.read: % calls % for organization %, % leads, lead %',
    session_user, record_read.function, record_read.organization_id, cardinality(record_read.lead_ids), v_lead_id;
end $$;

ALTER FUNCTION audit.record_read(organization_id uuid, function text, lead_ids uuid[]) OWNER TO leads_audit;

COMMENT ON FUNCTION audit.record_read(organization_id uuid, function text, lead_ids uuid[]) IS 'Writes the event lead.read, and a line in the server''s log. A function that reads leads for an operator calls it before it
computes anything from the leads'' values, so that an error that depends on a value leaves the line, too.

function: the name of the function that reads. lead_ids: the leads that it reads; the event has the id if there is one lead,
and otherwise only the number. An empty array: the answer is that no lead has a value. The event contains no value of a lead
and no argument of the function.';

CREATE TABLE crm.sync (
    organization_id uuid NOT NULL,
    id uuid DEFAULT app.new_id() NOT NULL,
    lead_id uuid NOT NULL,
    vendor text NOT NULL,
    account text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    external_id text,
    error_code text,
    error text,
    run_at timestamp(3) with time zone,
    leased_by integer,
    attempts integer DEFAULT 0 NOT NULL,
    begun_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, clock_timestamp()) NOT NULL,
    begun_after integer DEFAULT 0 NOT NULL,
    email_key text COLLATE pg_catalog."C",
    last_synced_at timestamp(3) with time zone,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    CONSTRAINT sync_counts_attempts CHECK (((attempts >= begun_after) AND (begun_after >= 0))),
    CONSTRAINT sync_error_code_is_known CHECK (
CASE status
    WHEN 'failed'::text THEN (error_code = ANY (ARRAY['rejected'::text, 'outcome_unknown'::text, 'gave_up'::text]))
    WHEN 'skipped'::text THEN (error_code = ANY (ARRAY['paused'::text, 'incomplete'::text]))
    ELSE (error_code IS NULL)
END),
    CONSTRAINT sync_error_is_text_of_1_to_1000 CHECK (app.is_text(error, 1000)),
    CONSTRAINT sync_external_id_is_text_of_1_to_255 CHECK (app.is_text(external_id, 255)),
    CONSTRAINT sync_has_a_time_when_it_is_ok CHECK (((status = 'ok'::text) = (last_synced_at IS NOT NULL))),
    CONSTRAINT sync_has_an_external_id_when_it_is_ok CHECK (((status = 'ok'::text) = (external_id IS NOT NULL))),
    CONSTRAINT sync_runs_at_a_time_until_it_ends CHECK (((status = ANY (ARRAY['pending'::text, 'in_progress'::text])) = (run_at IS NOT NULL))),
    CONSTRAINT sync_says_why_it_failed CHECK (((status = ANY (ARRAY['failed'::text, 'skipped'::text])) = (error_code IS NOT NULL))),
    CONSTRAINT sync_status_is_known CHECK ((status = ANY (ARRAY['pending'::text, 'in_progress'::text, 'ok'::text, 'failed'::text, 'skipped'::text]))),
    CONSTRAINT sync_vendor_is_name CHECK (app.is_name(vendor))
);
ALTER TABLE ONLY crm.sync ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN id SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN lead_id SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN vendor SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN account SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN status SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN external_id SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN error_code SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN error SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN run_at SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN leased_by SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN attempts SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN begun_at SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN begun_after SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN email_key SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN last_synced_at SET STATISTICS 0;
ALTER TABLE ONLY crm.sync ALTER COLUMN created_at SET STATISTICS 0;

ALTER TABLE ONLY crm.sync FORCE ROW LEVEL SECURITY;

ALTER TABLE crm.sync OWNER TO leads_owner;

COMMENT ON TABLE crm.sync IS 'The push of a lead to a CRM: its state, and the outbox of pushes that are due. Written in the transaction that changes the lead.';

COMMENT ON COLUMN crm.sync.vendor IS 'The CRM of the connection at the time of the request.';

COMMENT ON COLUMN crm.sync.account IS 'The vendor''s account.';

COMMENT ON COLUMN crm.sync.status IS 'pending: it waits for run_at. in_progress: a worker holds a lease until run_at. ok: the record exists. failed, skipped: nothing more happens automatically; error_code says why.';

COMMENT ON COLUMN crm.sync.external_id IS 'The record''s id at the vendor.';

COMMENT ON COLUMN crm.sync.error_code IS 'rejected: the vendor refused it. outcome_unknown: a record may exist, and the vendor''s search cannot tell. gave_up: no answer in 24 hours and 20 attempts. paused: the connection was paused when the stage changed. incomplete: the lead lacked a field that the vendor needs.';

COMMENT ON COLUMN crm.sync.error IS 'The vendor''s message.';

COMMENT ON COLUMN crm.sync.run_at IS 'pending: when the push is due. in_progress: when its lease ends.';

COMMENT ON COLUMN crm.sync.leased_by IS 'in_progress: the process id of the worker''s session. The lease ends when that session ends.';

COMMENT ON COLUMN crm.sync.attempts IS 'The number of attempts. It is the fencing token: a worker with an older number can write nothing.';

COMMENT ON COLUMN crm.sync.begun_at IS 'When this series of attempts began. The backoff and its end are computed from it.';

COMMENT ON COLUMN crm.sync.begun_after IS 'The number of attempts in earlier series.';

COMMENT ON COLUMN crm.sync.email_key IS 'The lead''s e-mail address at the last attempt, with A-Z in lower case. Pushes of one account and address run one after another.';

COMMENT ON COLUMN crm.sync.last_synced_at IS 'When the record was created or linked.';

CREATE FUNCTION admin.crm_queue(organization_id uuid DEFAULT NULL::uuid, row_limit integer DEFAULT 1000) RETURNS TABLE(organization_id uuid, lead_id uuid, vendor text, account text, status text, error_code text, error text, attempts integer, run_at text, created_at text)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT audit.record_read(q.organization_id, 'admin.crm_queue'::text, array_agg(DISTINCT q.lead_id)) AS record_read
    FROM ( SELECT s.organization_id,
             s.lead_id,
             s.error
            FROM crm.sync s
           WHERE ((s.status <> 'ok'::text) AND ((crm_queue.organization_id IS NULL) OR (s.organization_id = crm_queue.organization_id)))
           ORDER BY s.created_at, s.id
          LIMIT crm_queue.row_limit) q
   WHERE (q.error IS NOT NULL)
   GROUP BY q.organization_id;
 SELECT s.organization_id,
     s.lead_id,
     s.vendor,
     s.account,
     s.status,
     s.error_code,
     s.error,
     s.attempts,
     app.utc_text(s.run_at) AS utc_text,
     app.utc_text(s.created_at) AS utc_text
    FROM crm.sync s
   WHERE ((s.status <> 'ok'::text) AND ((crm_queue.organization_id IS NULL) OR (s.organization_id = crm_queue.organization_id)))
   ORDER BY s.created_at, s.id
  LIMIT crm_queue.row_limit;
END;

ALTER FUNCTION admin.crm_queue(organization_id uuid, row_limit integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.crm_queue(organization_id uuid, row_limit integer) IS 'The pushes of an organization that wait, failed or were skipped, the oldest first. organization_id: null for all organizations. error: the vendor''s message at the last attempt. run_at: when the push is due, or when its lease ends. Writes the event lead.read for each organization with such messages.';

CREATE FUNCTION app.is_details(value jsonb) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  if jsonb_typeof(is_details.value) <> 'object' or octet_length(is_details.value::text) > 16384 then
    return false;
  end if;
  return (
    select
      count(*) between 1 and 50
      and bool_and(
        m.key collate "C" ~ '^[a-z][a-z0-9_]*$'
        -- A signal has the same limits for a name, a text and a number.
        and scoring.is_signal_member(m.key, m.value)
        and case jsonb_typeof(m.value)
          when 'string' then app.is_text(m.value #>> '{}', 1000)
          when 'null' then false
          else true
        end
      )
    from jsonb_each(is_details.value) as m (key, value)
  );
end $_$;

ALTER FUNCTION app.is_details(value jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION app.is_details(value jsonb) IS 'Whether the value is an object of 1 to 50 members and at most 16,384 bytes as text. A name is 1 to 64 of the characters a-z, 0-9 and _, and begins with a letter. A value is a text of 1 to 1,000 characters, a number of up to 40 characters, true or false. Null for null.';

CREATE FUNCTION app.is_email(value text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  return case
    when octet_length(value) > 64 then
      char_length(value) <= 254
      and value collate "C" ~ '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$'
    -- No part of a short value is too long.
    else
      value collate "C" ~ '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]+@[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)+$'
  end;
end $_$;

ALTER FUNCTION app.is_email(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.is_email(value text) IS 'Whether the value is an e-mail address by the rule of the HTML standard (section 4.10.5.1.5, "valid e-mail address"), with a dot in the domain; at most 254 characters, 64 before the @ (RFC 5321, section 4.5.3.1). No quoted local part; an internationalized domain is written as xn--. Null for null.';

CREATE FUNCTION app.is_phone(value text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return
    app.is_text(is_phone.value, 64)
    and char_length(regexp_replace(is_phone.value, '[^0-9]', '', 'g')) between 3 and 20;
end $$;

ALTER FUNCTION app.is_phone(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.is_phone(value text) IS 'Whether the value is a text of 1 to 64 characters, with 3 to 20 digits. It may have an extension, and words such as "tel". Null for null.';

CREATE TABLE app.lead (
    id uuid DEFAULT app.new_id() NOT NULL,
    organization_id uuid NOT NULL,
    name text,
    company text,
    email text,
    source text,
    lead_score integer DEFAULT 0 NOT NULL,
    pipeline_stage text DEFAULT 'new'::text NOT NULL,
    industry text,
    company_size text,
    pain_points text,
    timeline text,
    budget_range text,
    ai_reasoning text,
    qualification_completed_at timestamp(3) with time zone,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    updated_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    email_key text GENERATED ALWAYS AS (lower((email COLLATE "C"))) STORED COLLATE pg_catalog."C",
    pipeline_stage_and_source text GENERATED ALWAYS AS (((pipeline_stage || '/'::text) || source)) STORED COLLATE pg_catalog."C",
    score_id uuid,
    item text,
    phone text,
    phone_key text COLLATE pg_catalog."C",
    reference text,
    details jsonb,
    CONSTRAINT lead_ai_reasoning_is_text_of_1_to_10000 CHECK (app.is_text(ai_reasoning, 10000)),
    CONSTRAINT lead_budget_range_is_text_of_1_to_128 CHECK (app.is_text(budget_range, 128)),
    CONSTRAINT lead_company_is_text_of_1_to_255 CHECK (app.is_text(company, 255)),
    CONSTRAINT lead_company_size_is_text_of_1_to_128 CHECK (app.is_text(company_size, 128)),
    CONSTRAINT lead_details_are_details CHECK (app.is_details(details)),
    CONSTRAINT lead_email_is_email CHECK (app.is_email(email)),
    CONSTRAINT lead_has_email_or_name_and_company_or_phone CHECK (((email IS NOT NULL) OR ((name IS NOT NULL) AND ((company IS NOT NULL) OR (phone IS NOT NULL))))),
    CONSTRAINT lead_industry_is_text_of_1_to_128 CHECK (app.is_text(industry, 128)),
    CONSTRAINT lead_name_is_text_of_1_to_255 CHECK (app.is_text(name, 255)),
    CONSTRAINT lead_pain_points_is_text_of_1_to_10000 CHECK (app.is_text(pain_points, 10000)),
    CONSTRAINT lead_phone_is_phone CHECK (app.is_phone(phone)),
    CONSTRAINT lead_reference_is_text_of_1_to_255 CHECK (app.is_text(reference, 255)),
    CONSTRAINT lead_score_within_0_and_100 CHECK (((lead_score >= 0) AND (lead_score <= 100))),
    CONSTRAINT lead_source_is_name CHECK (app.is_name(source)),
    CONSTRAINT lead_timeline_is_text_of_1_to_128 CHECK (app.is_text(timeline, 128)),
    CONSTRAINT lead_times_have_a_year_of_4_digits CHECK (((created_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '10000-01-01 00:00:00+00'::timestamp with time zone) AND (updated_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (updated_at < '10000-01-01 00:00:00+00'::timestamp with time zone)))
);
ALTER TABLE ONLY app.lead ALTER COLUMN id SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN company SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN email SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN source SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN lead_score SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN pipeline_stage SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN industry SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN company_size SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN pain_points SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN timeline SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN budget_range SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN ai_reasoning SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN qualification_completed_at SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN created_at SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN updated_at SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN revision SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN email_key SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN pipeline_stage_and_source SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN score_id SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN item SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN phone SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN phone_key SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN reference SET STATISTICS 0;
ALTER TABLE ONLY app.lead ALTER COLUMN details SET STATISTICS 0;

ALTER TABLE ONLY app.lead FORCE ROW LEVEL SECURITY;

ALTER TABLE app.lead OWNER TO leads_owner;

COMMENT ON TABLE app.lead IS 'Leads: people and companies that may become customers.';

COMMENT ON COLUMN app.lead.id IS 'The lead''s id, a UUID of version 7.';

COMMENT ON COLUMN app.lead.organization_id IS 'The organization''s id.';

COMMENT ON COLUMN app.lead.name IS 'The name of the person.';

COMMENT ON COLUMN app.lead.company IS 'The name of the company.';

COMMENT ON COLUMN app.lead.email IS 'The e-mail address as it was sent. Two leads can have the same one.';

COMMENT ON COLUMN app.lead.source IS 'The origin of the lead, as a machine name.';

COMMENT ON COLUMN app.lead.lead_score IS 'How promising the lead is, from 0 to 100.';

COMMENT ON COLUMN app.lead.pipeline_stage IS 'The pipeline stage of the lead: one of the organization''s stages.';

COMMENT ON COLUMN app.lead.industry IS 'The industry.';

COMMENT ON COLUMN app.lead.company_size IS 'The size of the company, as free text.';

COMMENT ON COLUMN app.lead.pain_points IS 'The problems that the lead wants to solve.';

COMMENT ON COLUMN app.lead.timeline IS 'When the lead wants to act, as free text.';

COMMENT ON COLUMN app.lead.budget_range IS 'How much the lead wants to spend, as free text.';

COMMENT ON COLUMN app.lead.ai_reasoning IS 'The reasons for the score, as text.';

COMMENT ON COLUMN app.lead.qualification_completed_at IS 'When the lead first reached the stage "qualified"; null if it has not.';

COMMENT ON COLUMN app.lead.created_at IS 'When the lead was created.';

COMMENT ON COLUMN app.lead.updated_at IS 'When the lead was last changed.';

COMMENT ON COLUMN app.lead.revision IS 'The number of changes, from 1. The ETag contains it; no body shows it.';

COMMENT ON COLUMN app.lead.email_key IS 'The e-mail address with A-Z in lower case. The filter by e-mail compares it.';

COMMENT ON COLUMN app.lead.pipeline_stage_and_source IS 'Stage and source in one column, for a filter by both. With two columns and no statistics, the planner could not tell their index from an index on one of them.';

COMMENT ON COLUMN app.lead.score_id IS 'The latest score that a model gave. No body shows it; a change of it is recorded as lead.scored.';

COMMENT ON COLUMN app.lead.item IS 'The lead as a list shows it, as JSON text; a trigger sets it. Null: not set yet, so that readers compute it.';

COMMENT ON COLUMN app.lead.phone IS 'The phone number as it was sent. Two leads can have the same one.';

COMMENT ON COLUMN app.lead.phone_key IS 'The phone number in E.164, such as +15550100199; only its digits, if the country is not known. A trigger sets it. The filter by phone compares it.';

COMMENT ON COLUMN app.lead.reference IS 'The client''s own id of the lead, unique in the organization.';

COMMENT ON COLUMN app.lead.details IS 'Other values about the lead, by name: texts, numbers and booleans. Null: none.';

CREATE TABLE crm.connection (
    organization_id uuid NOT NULL,
    id uuid DEFAULT app.new_id() NOT NULL,
    vendor text NOT NULL,
    account text NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    fault text,
    push_stage text DEFAULT 'qualified'::text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    settle_seconds integer NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    credential bytea,
    credential_key text,
    blocked_until timestamp(3) with time zone,
    paced_until timestamp(3) with time zone,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    CONSTRAINT connection_account_is_text_of_1_to_255 CHECK (app.is_text(account, 255)),
    CONSTRAINT connection_credential_says_its_key CHECK (((credential IS NULL) = (credential_key IS NULL))),
    CONSTRAINT connection_has_a_fault_only_when_it_is_paused CHECK (((fault IS NULL) OR (state = 'paused'::text))),
    CONSTRAINT connection_settings_are_an_object CHECK ((jsonb_typeof(settings) = 'object'::text)),
    CONSTRAINT connection_settles_within_an_hour CHECK (((settle_seconds >= 0) AND (settle_seconds <= 3600))),
    CONSTRAINT connection_state_is_active_or_paused CHECK ((state = ANY (ARRAY['active'::text, 'paused'::text]))),
    CONSTRAINT connection_vendor_is_name CHECK (app.is_name(vendor))
);
ALTER TABLE ONLY crm.connection ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN id SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN vendor SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN account SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN state SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN fault SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN push_stage SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN settings SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN settle_seconds SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN revision SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN credential SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN credential_key SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN blocked_until SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN paced_until SET STATISTICS 0;
ALTER TABLE ONLY crm.connection ALTER COLUMN created_at SET STATISTICS 0;

ALTER TABLE ONLY crm.connection FORCE ROW LEVEL SECURITY;

ALTER TABLE crm.connection OWNER TO leads_owner;

COMMENT ON TABLE crm.connection IS 'An organization''s connection to its CRM. An organization has at most one.';

COMMENT ON COLUMN crm.connection.account IS 'The vendor''s account. When the same account is connected again, its syncs are used again.';

COMMENT ON COLUMN crm.connection.state IS 'active or paused. An operator pauses it, or the worker does when the vendor refuses the credential.';

COMMENT ON COLUMN crm.connection.fault IS 'The vendor''s message if the worker paused it; null if an operator did.';

COMMENT ON COLUMN crm.connection.push_stage IS 'A lead that enters this stage is pushed automatically.';

COMMENT ON COLUMN crm.connection.settings IS 'The adapter''s settings, without the credential.';

COMMENT ON COLUMN crm.connection.settle_seconds IS 'As crm.vendor.settle_seconds, for this account.';

COMMENT ON COLUMN crm.connection.revision IS 'The number of times that it was connected. The result of an attempt with an older credential does not change it.';

COMMENT ON COLUMN crm.connection.credential IS 'The vendor''s key, encrypted with AES-256-GCM: a nonce of 12 bytes, then the ciphertext with its tag. Only the worker''s and the operator''s environment have the decryption key. Null: a test organization, whose pushes are simulated.';

COMMENT ON COLUMN crm.connection.credential_key IS 'The id of the decryption key.';

COMMENT ON COLUMN crm.connection.blocked_until IS 'No worker calls the vendor before this time, because it sent Retry-After.';

COMMENT ON COLUMN crm.connection.paced_until IS 'When the calls granted so far would have ended at an even pace.';

CREATE FUNCTION admin.crm_syncs(organization_id uuid) RETURNS TABLE(lead_id uuid, status text, external_id text, error_code text, email text, last_synced_at timestamp with time zone)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT audit.record_read(o.organization_id, 'admin.crm_syncs'::text, ARRAY( SELECT s.lead_id
            FROM (crm.connection c
              JOIN crm.sync s ON (((s.organization_id = c.organization_id) AND (s.vendor = c.vendor) AND (s.account = c.account))))
           WHERE (c.organization_id = crm_syncs.organization_id))) AS record_read
    FROM app.organization o
   WHERE (o.organization_id = crm_syncs.organization_id);
 SELECT s.lead_id,
     s.status,
     s.external_id,
     s.error_code,
     l.email,
     s.last_synced_at
    FROM ((crm.connection c
      JOIN crm.sync s ON (((s.organization_id = c.organization_id) AND (s.vendor = c.vendor) AND (s.account = c.account))))
      JOIN app.lead l ON (((l.organization_id = s.organization_id) AND (l.id = s.lead_id))))
   WHERE (c.organization_id = crm_syncs.organization_id)
   ORDER BY s.id;
END;

ALTER FUNCTION admin.crm_syncs(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.crm_syncs(organization_id uuid) IS 'All pushes of the organization''s connection, with the leads'' e-mail addresses. Writes the event lead.read.';

CREATE FUNCTION admin.delete_expired_answers(batch integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_deleted integer;
begin
  with expired as (
    select e.organization_id, e.key_digest
    from app.organization as o
    cross join lateral (
      select k.organization_id, k.key_digest
      from app.idempotency_key as k
      where k.organization_id = o.organization_id and k.created_at < now() - interval '24 hours'
      order by k.created_at
      limit delete_expired_answers.batch
    ) as e
    limit delete_expired_answers.batch
  )
  delete from app.idempotency_key as k
  using expired as e
  where
    k.organization_id = e.organization_id
    and k.key_digest = e.key_digest
    -- The condition is repeated, because a request may have claimed the row in the meantime.
    and k.created_at < now() - interval '24 hours';
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;

ALTER FUNCTION admin.delete_expired_answers(batch integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.delete_expired_answers(batch integer) IS 'Deletes up to batch responses that are older than 24 hours, of all organizations. Returns the number of deleted rows. A worker calls it every hour, until the number is less than batch. A claim deletes only a few rows of its own organization.';

CREATE FUNCTION admin.delete_old_submissions(batch integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_deleted integer;
begin
  delete from intake.client as c
  using app.organization as o
  where c.organization_id = o.organization_id and c.free_at < now();
  with old as (
    select e.organization_id, e.id
    from app.organization as o
    cross join lateral (
      select s.organization_id, s.id
      from intake.submission as s
      where s.organization_id = o.organization_id and s.created_at < now() - interval '30 days'
      order by s.created_at
      limit delete_old_submissions.batch
    ) as e
    limit delete_old_submissions.batch
  )
  delete from intake.submission as s
  using old as e
  where s.organization_id = e.organization_id and s.id = e.id;
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;

ALTER FUNCTION admin.delete_old_submissions(batch integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.delete_old_submissions(batch integer) IS 'Deletes up to batch submissions that are older than 30 days, of all organizations, and the addresses of clients that have used up nothing of their limit. Returns the number of deleted submissions. A worker calls it every hour, until the number is less than batch.';

CREATE FUNCTION admin.disable_analyst(login text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  if
    exists (
      select
      from pg_catalog.pg_roles as r
      join pg_catalog.pg_auth_members as m on m.member = r.oid and m.roleid = 'leads_bi'::regrole
      -- A login that can do more than read isn't an analyst's login, and isn't dropped here.
      where r.rolname = disable_analyst.login and r.rolcanlogin and not r.rolsuper and not r.rolcreaterole
    )
    and not exists (select from admin.analysts() as a where a.login = disable_analyst.login)
  then
    -- A session of the login can have locked the role: ALTER ROLE changes its own password.
    perform admin.signal_analyst(disable_analyst.login);
    execute format('alter role %I nologin', disable_analyst.login);
  end if;
end $$;

ALTER FUNCTION admin.disable_analyst(login text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.disable_analyst(login text) IS 'Sets a login that admin.revoke_analyst has unbound to NOLOGIN, and tells its sessions to end. After the commit it can''t open
a new session.

It does nothing if there is no such login. admin.drop_analyst then waits for the end of the sessions in a separate transaction.
Only the migrating login can execute it. Raises 55P03 if another transaction locks the role for 2 seconds.';

CREATE TABLE admin.catalogue_entry (
    object text NOT NULL,
    definition text NOT NULL
);

ALTER TABLE admin.catalogue_entry OWNER TO leads_jobs;

COMMENT ON TABLE admin.catalogue_entry IS 'The schema after the last leads migrate: one row for each row of admin.catalogue(). leads doctor compares the live schema with it.';

CREATE FUNCTION admin.drift() RETURNS TABLE(object text, change text, remedy text, definition text, whole text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    BEGIN ATOMIC
 WITH printed AS (
          SELECT true AS is_live,
             c.object,
             c.definition,
             c.removal
            FROM admin.catalogue() c(object, definition, removal)
         UNION ALL
          SELECT false,
             e.object,
             e.definition,
             NULL::text
            FROM admin.catalogue_entry e
         ), object AS (
          SELECT p.is_live,
             p.object,
             p.definition,
             p.removal,
                 CASE
                     WHEN (p.definition ~ '\nAS \$(function|procedure)'::text) THEN p.definition
                     ELSE translate(regexp_replace(regexp_replace(p.definition, '(true|false|''::[a-z ]+|NULL::[a-z ]+) AS "?\w+"?'::text, '\1'::text, 'g'::text), '\m(UPDATE|DELETE FROM|MERGE INTO) (\S+) AS '::text, '\1 \2 '::text, 'g'::text), '()'::text, ''::text)
                 END AS comparable
            FROM printed p
         ), compared AS (
          SELECT COALESCE(live.object, kept.object) AS object,
                 CASE
                     WHEN (kept.object IS NULL) THEN 'new'::text
                     WHEN (live.object IS NULL) THEN 'missing'::text
                     ELSE 'changed'::text
                 END AS change,
             kept.definition AS kept,
             live.definition AS live,
             live.removal
            FROM (( SELECT o.is_live,
                     o.object,
                     o.definition,
                     o.removal,
                     o.comparable
                    FROM object o
                   WHERE o.is_live) live
              FULL JOIN ( SELECT o.is_live,
                     o.object,
                     o.definition,
                     o.removal,
                     o.comparable
                    FROM object o
                   WHERE (NOT o.is_live)) kept ON ((kept.object = live.object)))
           WHERE (kept.comparable IS DISTINCT FROM live.comparable)
         ), incomparable AS (
          SELECT c.change,
             c.kept
            FROM compared c
           WHERE (c.object = 'server'::text)
         ), whole AS (
          SELECT c.object,
             c.change,
             regexp_replace(c.object, '^(materialized view|foreign table|\w+) '::text, ''::text) AS name
            FROM compared c
           WHERE ((c.change = ANY (ARRAY['new'::text, 'missing'::text])) AND (c.object !~ '^(membership|grant|default privileges|column|constraint|index|trigger|policy|rule) '::text))
         )
  SELECT c.object,
     c.change,
         CASE
             WHEN (c.change = 'new'::text) THEN COALESCE(c.removal, 'Revert the change.'::text)
             WHEN ((c.change = 'missing'::text) AND (c.object ~ '^(schema|table|sequence) '::text)) THEN 'Restore it from a backup.'::text
             WHEN ((c.kept ~~ '%;'::text) AND (NOT ((c.change = 'changed'::text) AND (c.object ~ '^(type|domain) '::text)))) THEN c.kept
             ELSE ('Restore this definition: '::text || rtrim(c.kept, ';'::text))
         END AS "case",
     c.live,
     ( SELECT min(w.object) AS min
            FROM whole w
           WHERE ((w.change = c.change) AND (w.object <> c.object) AND ((strpos((c.object || ' '::text), ((' '::text || w.name) || ' '::text)) > 0) OR starts_with(c.object, (('column '::text || w.name) || '.'::text))))) AS min
    FROM compared c
   WHERE (NOT (EXISTS ( SELECT
            FROM incomparable)))
 UNION ALL
  SELECT 'catalogue'::text,
     i.change,
         CASE
             WHEN (i.change = 'new'::text) THEN 'leads migrate'::text
             ELSE format('It was kept under %s. Compare the schema with schema.sql, then run: leads doctor --accept'::text, i.kept)
         END AS format,
     NULL::text,
     NULL::text
    FROM incomparable i
  ORDER BY 1;
END;

ALTER FUNCTION admin.drift() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.drift() IS 'The objects that differ from the catalogue that leads migrate has kept.

change: "new", "missing" or "changed". remedy: SQL that restores the object and ends with a semicolon, or else a sentence.
definition: the present definition; null if the object is missing. whole: the object that this one is a part of, if that is
new or missing too. If no catalogue is kept, there is one row: "catalogue", "new". If another version of PostgreSQL kept the
catalogue: "catalogue", "changed".';

CREATE FUNCTION admin.drop_analyst(login text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $_$
declare
  v_objects text;
begin
  if not exists (select from pg_catalog.pg_roles as r where r.rolname = drop_analyst.login) then
    return;
  end if;
  if
    exists (select from admin.analysts() as a where a.login = drop_analyst.login)
    or not exists (
      select
      from pg_catalog.pg_roles as r
      join pg_catalog.pg_auth_members as m on m.member = r.oid and m.roleid = 'leads_bi'::regrole
      where r.rolname = drop_analyst.login and not r.rolcanlogin and not r.rolsuper and not r.rolcreaterole
    )
  then
    raise sqlstate 'PT409' using message = 'analyst_not_revoked', hint = format(
      '"%s" isn''t a revoked login. Run: leads bi revoke %s', drop_analyst.login, drop_analyst.login
    );
  end if;
  select string_agg(
    case
      when d.dbid in (0, b.oid) then pg_describe_object(d.classid, d.objid, d.objsubid)
      else format('something in the database "%s"', (select o.datname from pg_catalog.pg_database as o where o.oid = d.dbid))
    end,
    ', '
  ) into v_objects
  from pg_catalog.pg_shdepend as d
  join pg_catalog.pg_database as b on b.datname = current_database()
  where
    d.refclassid = 'pg_authid'::regclass
    and d.refobjid = (select r.oid from pg_catalog.pg_roles as r where r.rolname = drop_analyst.login)
    -- DROP OWNED below removes privileges and default privileges, but only here.
    and (d.dbid not in (0, b.oid) or (d.deptype = 'o' and d.classid <> 'pg_default_acl'::regclass));
  if v_objects is not null then
    raise sqlstate 'PT409' using message = 'analyst_owns_objects', hint = format(
      'The login "%1$s" can''t log in any more, but it isn''t dropped, because it has: %2$s. In that database, run '
      '"reassign owned by %1$I to ROLE; drop owned by %1$I;" as a superuser. Then run again: leads bi revoke %1$s',
      drop_analyst.login, v_objects
    );
  end if;
  -- The creator of a role only has ADMIN OPTION. To end its sessions takes the role's privileges.
  execute format('grant %I to %I', drop_analyst.login, current_user);
  perform pg_terminate_backend(a.pid, 5000)
  from pg_catalog.pg_stat_activity as a
  where a.usename = drop_analyst.login;
  -- Every login may alter its own default privileges, and DROP ROLE fails while there are any.
  execute format('drop owned by %I', drop_analyst.login);
  execute format('drop role %I', drop_analyst.login);
end $_$;

ALTER FUNCTION admin.drop_analyst(login text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.drop_analyst(login text) IS 'Ends the sessions of a revoked analyst''s login, and drops the login if it exists. Only the migrating login can execute it.

It waits up to 5 seconds for each session. It also drops the login''s privileges and default privileges in this database. Raises
PT409 analyst_not_revoked, and PT409 analyst_owns_objects if the login owns anything else, or has anything in another database.';

CREATE FUNCTION admin.edit_scoring_model(organization_id uuid, document jsonb) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(edit_scoring_model.organization_id)).organization_id;
  v_version integer;
begin
  perform admin.check_scoring_model(edit_scoring_model.document);
  -- If two sessions create a draft at the same time, the second replaces the draft of the first.
  loop
    update scoring.model as m
    set document = edit_scoring_model.document
    where m.organization_id = v_organization_id and m.state = 'draft'
    returning m.version into v_version;
    exit when found;
    insert into scoring.model (organization_id, version, document)
    select v_organization_id, coalesce(max(m.version), 0) + 1, edit_scoring_model.document
    from scoring.model as m
    where m.organization_id = v_organization_id
    on conflict do nothing
    returning version into v_version;
    exit when found;
  end loop;
  return v_version;
end $$;

ALTER FUNCTION admin.edit_scoring_model(organization_id uuid, document jsonb) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.edit_scoring_model(organization_id uuid, document jsonb) IS 'Replaces the draft of the organization''s scoring model, or creates it. Returns the draft''s version. Raises PT404 organization_not_found, PT422 invalid_model.';

CREATE FUNCTION admin.end_analyst_sessions(login text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  if not exists (select from admin.analysts() as a where a.login = end_analyst_sessions.login) then
    raise sqlstate 'PT404' using message = 'analyst_not_found', hint = format(
      'There is no analyst "%s". To list them, run: leads bi list', end_analyst_sessions.login
    );
  end if;
  -- The creator of the role only has ADMIN OPTION on it. To end its sessions, the creator needs the
  -- role's privileges.
  execute format('grant %I to %I', end_analyst_sessions.login, current_user);
  perform pg_terminate_backend(a.pid, 5000)
  from pg_catalog.pg_stat_activity as a
  where a.usename = end_analyst_sessions.login;
  execute format('revoke %I from %I', end_analyst_sessions.login, current_user);
end $$;

ALTER FUNCTION admin.end_analyst_sessions(login text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.end_analyst_sessions(login text) IS 'Ends the sessions of an analyst''s login. Only the migrating login can execute it.

It waits up to 5 seconds for each session. Raises PT404 analyst_not_found.';

CREATE FUNCTION audit.erase_lead(organization_id uuid, lead_id uuid) RETURNS TABLE(wait_seconds numeric, rows_gone bigint, events bigint, copies json)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := erase_lead.organization_id;
  v_lead_id uuid := erase_lead.lead_id;
  v_stage text;
  v_email text;
  v_phone_key text;
  v_country_code text;
  v_until timestamptz;
  v_count bigint;
  v_gone bigint := 0;
  v_items text[];
  v_copies json;
begin
  -- The locks make a concurrent change either commit before the erasure or find no lead.
  select l.pipeline_stage, l.email, l.phone_key into v_stage, v_email, v_phone_key
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = v_lead_id
  for update;
  perform from crm.sync as s
  where s.organization_id = v_organization_id and s.lead_id = v_lead_id
  for update;
  select max(s.run_at) into v_until
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.lead_id = v_lead_id
    and s.status = 'in_progress'
    and s.run_at > clock_timestamp();
  if v_until is not null then
    -- A worker is calling the vendor. Its result, a record to list as a copy, is known soon.
    return query select greatest(round(extract(epoch from v_until - clock_timestamp()), 3), 0.001), 0::bigint, 0::bigint, null::json;
    return;
  end if;

  -- The caller can roll the erasure back after reading the copies. This line of the server's log stays.
  raise log 'lead.erased: % erases lead % of organization %', session_user, v_lead_id, v_organization_id;
  v_copies := crm.copies(v_organization_id, v_lead_id);
  -- Explicit deletes instead of cascades: a cascade runs as the table's owner, and the audit
  -- triggers would then record all values.
  delete from crm.attempt as a
  using crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.lead_id = v_lead_id
    and a.organization_id = s.organization_id
    and a.sync_id = s.id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  delete from crm.sync as s where s.organization_id = v_organization_id and s.lead_id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  delete from scoring.signal as s where s.organization_id = v_organization_id and s.lead_id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  delete from scoring.score as s where s.organization_id = v_organization_id and s.lead_id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  v_country_code := (select o.country_code from app.organization as o where o.organization_id = v_organization_id);
  v_gone := v_gone + audit.erase_submissions(v_organization_id, v_lead_id, v_email, v_phone_key, v_country_code);
  -- They are copies, and are not counted.
  delete from app.lead_word as w where w.organization_id = v_organization_id and w.lead_id = v_lead_id;
  delete from app.unindexed_lead as u where u.organization_id = v_organization_id and u.lead_id = v_lead_id;
  delete from app.lead as l where l.organization_id = v_organization_id and l.id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  update app.idempotency_key as k
  set request_digest = null, status = null, headers = null, body = null
  where
    k.organization_id = v_organization_id
    and (strpos(k.body, v_lead_id::text) > 0 or strpos(k.headers::text, v_lead_id::text) > 0);
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  v_items := audit.erase_events(v_organization_id, v_lead_id);
  if v_gone > 0 or cardinality(v_items) > 0 then
    perform audit.record_erasure(
      v_organization_id,
      v_lead_id,
      concat(
        '"lead_id":"', v_lead_id, '","diff":{',
        case when v_stage is not null then '"pipeline_stage":' || json_build_object('from', v_stage, 'to', null) end,
        '},"erased":[', array_to_string(v_items, ','), ']'
      )
    );
  end if;
  return query select 0::numeric, v_gone, cardinality(v_items)::bigint, v_copies;
end $$;

ALTER FUNCTION audit.erase_lead(organization_id uuid, lead_id uuid) OWNER TO leads_eraser;

COMMENT ON FUNCTION audit.erase_lead(organization_id uuid, lead_id uuid) IS 'Erases a lead, even one that was deleted before. A second call changes nothing.

It deletes the lead with its words, signals, scores, pushes, attempts and submissions of forms, replaces the values in its events by {"erased": true},
sets kept answers to null, and writes the event lead.erased.
wait_seconds: if it is greater than 0, nothing was done because a push holds a lease for that many seconds; call again then.
rows_gone: the number of rows that were deleted or emptied. events: the number of events whose values were erased. copies:
the records at CRMs, as crm.copies returned them before.';

CREATE FUNCTION admin.erase_lead(organization_id uuid, lead_id uuid) RETURNS TABLE(wait_seconds numeric, rows_gone bigint, events bigint, copies json)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT e.wait_seconds,
     e.rows_gone,
     e.events,
     e.copies
    FROM audit.erase_lead(erase_lead.organization_id, erase_lead.lead_id) e(wait_seconds, rows_gone, events, copies);
END;

ALTER FUNCTION admin.erase_lead(organization_id uuid, lead_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.erase_lead(organization_id uuid, lead_id uuid) IS 'Calls audit.erase_lead, which the operator may not execute.';

CREATE FUNCTION admin.erase_organization(organization_id uuid, after uuid DEFAULT NULL::uuid, batch integer DEFAULT 100) RETURNS TABLE(last_lead_id uuid, leads integer, events bigint, wait_seconds numeric, is_done boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization app.organization_values := admin.known_organization(erase_organization.organization_id);
  v_organization_id uuid := v_organization.organization_id;
  -- A value in place of null, because a plan that handles both scans the log from its beginning.
  v_lead_id uuid := coalesce(erase_organization.after, '00000000-0000-0000-0000-000000000000');
  v_next_id uuid;
  v_done record;
  v_leads integer := 0;
  v_events bigint := 0;
begin
  -- The first batch ends all access: afterwards no request, analyst or push reaches the data.
  update auth.api_key as k
  set name = null, revoked_at = coalesce(k.revoked_at, date_trunc('milliseconds', clock_timestamp()))
  where k.organization_id = v_organization_id and (k.revoked_at is null or k.name is not null);
  delete from auth.analyst as a where a.organization_id = v_organization_id;
  -- A worker locks its push and then the connection. This uses the same order, to avoid a deadlock.
  perform from crm.sync as s
  where s.organization_id = v_organization_id and s.status = 'in_progress'
  order by s.id
  for update;
  delete from crm.connection as c where c.organization_id = v_organization_id;
  -- These are deleted here, because otherwise the erasure of each lead would search all of them.
  delete from intake.submission as s where s.organization_id = v_organization_id;
  delete from app.idempotency_key as k where k.organization_id = v_organization_id;

  -- The organization is already erased, and no lead is left.
  if
    v_organization.erased_at is not null
    and not exists (select from app.lead as l where l.organization_id = v_organization_id)
  then
    return query select null::uuid, 0, audit.erase_organization(v_organization_id), 0::numeric, true;
    return;
  end if;

  -- The log's leads come first, because it has the deleted ones, too. Leads without an event follow.
  for v_number in 1 .. greatest(erase_organization.batch, 1) loop
    v_next_id := (
      select e.lead_id
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id > v_lead_id
      order by e.lead_id
      limit 1
    );
    v_next_id := coalesce(v_next_id, (
      select l.id from app.lead as l where l.organization_id = v_organization_id order by l.id limit 1
    ));
    if v_next_id is null then
      v_events := v_events + audit.erase_organization(v_organization_id);
      return query select null::uuid, v_leads, v_events, 0::numeric, true;
      return;
    end if;
    select e.wait_seconds, e.rows_gone, e.events into v_done
    from audit.erase_lead(v_organization_id, v_next_id) as e;
    if v_done.wait_seconds > 0 then
      return query select v_lead_id, v_leads, v_events, v_done.wait_seconds, false;
      return;
    end if;
    v_leads := v_leads + (v_done.rows_gone > 0 or v_done.events > 0)::integer;
    v_events := v_events + v_done.events;
    v_lead_id := v_next_id;
  end loop;
  return query select v_lead_id, v_leads, v_events, 0::numeric, false;
end $$;

ALTER FUNCTION admin.erase_organization(organization_id uuid, after uuid, batch integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.erase_organization(organization_id uuid, after uuid, batch integer) IS 'Erases up to batch leads of an organization. After the last lead, erases everything else that the organization has.

after: the lead after which the batch starts; null for the first batch. Every batch revokes the keys, unbinds the analysts, and
deletes the connection and the kept responses. last_lead_id: the value of after for the next batch; null if everything is
erased. leads, events: the numbers that this batch erased. wait_seconds: if above 0, a push has a lease for this time; call
the function again afterwards. is_done: whether everything is erased. To continue an interrupted erasure, start again with the
first batch. Raises PT404 organization_not_found.';

CREATE FUNCTION admin.erase_submissions(organization_id uuid, email text, phone text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := (admin.known_organization(erase_submissions.organization_id)).organization_id;
begin
  -- The number says whether forms have received something of the person.
  perform audit.record_read(v_organization_id, 'admin.erase_submissions', '{}');
  return audit.erase_submissions(
    v_organization_id,
    null,
    app.ascii_email(nullif(app.clean_text(erase_submissions.email), '')),
    app.phone_key(app.clean_text(erase_submissions.phone), app.country_code(v_organization_id)),
    app.country_code(v_organization_id)
  );
end $$;

ALTER FUNCTION admin.erase_submissions(organization_id uuid, email text, phone text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.erase_submissions(organization_id uuid, email text, phone text) IS 'Deletes what forms have kept with this e-mail address or phone number; null: it is not searched for. Returns the number. The audit log records the call. Raises PT404 organization_not_found.';

CREATE FUNCTION admin.export_audit_events(organization_id uuid, format api.export_format DEFAULT 'ndjson'::text, cursor api.export_cursor DEFAULT NULL::text, action api.any_of DEFAULT NULL::text[], source api.any_of DEFAULT NULL::text[], lead_id uuid DEFAULT NULL::uuid, start_at timestamp with time zone DEFAULT NULL::timestamp with time zone, end_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS TABLE(body text, next_cursor text, row_count bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_page record;
begin
  -- This accepts an erased organization: its log is kept.
  perform admin.known_organization(export_audit_events.organization_id);
  v_page := audit.event_export(
    export_audit_events.organization_id, export_audit_events.format, export_audit_events.cursor,
    export_audit_events.action, export_audit_events.source, export_audit_events.lead_id, export_audit_events.start_at,
    export_audit_events.end_at
  );
  -- The events have values of the leads.
  perform audit.record_read(export_audit_events.organization_id, 'admin.export_audit_events', v_page.lead_ids);
  body := v_page.body;
  next_cursor := v_page.next_cursor;
  row_count := v_page.row_count;
  return next;
end $$;

ALTER FUNCTION admin.export_audit_events(organization_id uuid, format api.export_format, cursor api.export_cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.export_audit_events(organization_id uuid, format api.export_format, cursor api.export_cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) IS 'A page as audit.event_export returns it. Writes the event lead.read for the leads of the page''s events.

Raises PT404 organization_not_found and PT422 validation_failed.';

CREATE FUNCTION admin.export_leads(organization_id uuid, format api.export_format DEFAULT 'ndjson'::text, cursor api.export_cursor DEFAULT NULL::text, pipeline_stage api.any_of DEFAULT NULL::text[], source api.any_of DEFAULT NULL::text[], email api.any_of DEFAULT NULL::text[], phone text DEFAULT NULL::text, reference text DEFAULT NULL::text, start_at timestamp with time zone DEFAULT NULL::timestamp with time zone, end_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS TABLE(body text, next_cursor text, row_count bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_page record;
begin
  perform admin.organization(export_leads.organization_id);
  v_page := app.lead_export(
    export_leads.organization_id, export_leads.format, export_leads.cursor, export_leads.pipeline_stage, export_leads.source,
    export_leads.email, export_leads.phone, export_leads.reference, export_leads.start_at, export_leads.end_at
  );
  perform audit.record_read(export_leads.organization_id, 'admin.export_leads', v_page.lead_ids);
  body := v_page.body;
  next_cursor := v_page.next_cursor;
  row_count := v_page.row_count;
  return next;
end $$;

ALTER FUNCTION admin.export_leads(organization_id uuid, format api.export_format, cursor api.export_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, phone text, reference text, start_at timestamp with time zone, end_at timestamp with time zone) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.export_leads(organization_id uuid, format api.export_format, cursor api.export_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, phone text, reference text, start_at timestamp with time zone, end_at timestamp with time zone) IS 'A page as app.lead_export returns it. Writes the event lead.read for the leads of the page.

Raises PT404 organization_not_found and PT422 validation_failed.';

CREATE FUNCTION admin.fill_lead_items(batch integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- The session keeps the place, so that all batches together read the table once.
  v_block bigint := coalesce(nullif(current_setting('leads.filled_blocks', true), ''), '0');
  v_end bigint := pg_relation_size('app.lead') / current_setting('block_size')::bigint;
  v_rows bigint;
  v_filled bigint := 0;
begin
  while v_filled < fill_lead_items.batch and v_block < v_end loop
    -- The trigger _500_stamp computes the value. The condition is checked again after a wait for a concurrent
    -- change, which has set the value too.
    update app.lead as l
    set item = null
    where l.ctid >= format('(%s,0)', v_block)::tid and l.ctid < format('(%s,0)', v_block + 1)::tid and l.item is null;
    get diagnostics v_rows = row_count;
    v_filled := v_filled + v_rows;
    v_block := v_block + 1;
  end loop;
  perform set_config('leads.filled_blocks', case when v_filled > 0 then v_block::text else '' end, false);
  return v_filled;
end $$;

ALTER FUNCTION admin.fill_lead_items(batch integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.fill_lead_items(batch integer) IS 'Sets app.lead.item in rows that have none, of all organizations, and returns their number. 0: none is left.

batch: after so many rows it ends with the page of the table that it is at. It changes neither revision nor updated_at,
and writes no event. Until it has run, readers compute the item of these rows.';

CREATE FUNCTION admin.fill_phone_keys(organization_id uuid, after uuid, batch integer, OUT last_id uuid, OUT leads integer) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := (admin.organization(fill_phone_keys.organization_id)).organization_id;
  v_ids uuid[];
begin
  v_ids := array(
    select l.id
    from app.lead as l
    where l.organization_id = v_organization_id and (l.id > fill_phone_keys.after or fill_phone_keys.after is null)
    order by l.id
    limit fill_phone_keys.batch
  );
  last_id := v_ids[cardinality(v_ids)];
  -- The trigger _500_stamp computes the value.
  update app.lead as l
  set phone_key = null
  where l.organization_id = v_organization_id and l.id = any (v_ids) and l.phone is not null;
  get diagnostics leads = row_count;
end $$;

ALTER FUNCTION admin.fill_phone_keys(organization_id uuid, after uuid, batch integer, OUT last_id uuid, OUT leads integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.fill_phone_keys(organization_id uuid, after uuid, batch integer, OUT last_id uuid, OUT leads integer) IS 'Computes app.lead.phone_key again, after the country code of the organization has changed, in up to batch leads after an id.

after: the last_id of the previous call; null for the first one. last_id: null if no lead was left. leads: how many have a phone
number. It changes neither revision nor updated_at, and writes no event. Raises PT404 organization_not_found, PT409
organization_erased.';

CREATE FUNCTION admin.find_leads_to_erase(organization_id uuid, lead_id uuid, email text, phone text) RETURNS TABLE(lead_organization_id uuid, id uuid)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_lead record;
  v_country_code text := app.country_code(find_leads_to_erase.organization_id);
  v_phones text[] := app.phone_keys(find_leads_to_erase.phone, find_leads_to_erase.organization_id);
begin
  if app.is_phone(app.clean_text(find_leads_to_erase.phone)) is false then
    raise sqlstate 'PT422' using message = 'invalid_phone', hint = 'A phone number has 3 to 20 digits.';
  end if;
  for v_lead in
    select o.organization_id, f.id
    from app.organization as o
    cross join lateral (
      select l.id
      from app.lead as l
      where
        l.organization_id = o.organization_id
        and (
          l.id = find_leads_to_erase.lead_id
          or (
            find_leads_to_erase.lead_id is null
            and find_leads_to_erase.organization_id is not null
            and (
              l.email_key = lower(find_leads_to_erase.email collate "C")
              or l.phone_key = any (v_phones)
            )
          )
        )
      union
      select e.lead_id
      from audit.event as e
      where e.organization_id = o.organization_id and e.lead_id = find_leads_to_erase.lead_id
      union
      -- Leads that had the address or the number before, and deleted leads.
      select e.lead_id
      from audit.event as e
      where
        find_leads_to_erase.lead_id is null
        and find_leads_to_erase.organization_id is not null
        and e.organization_id = o.organization_id
        and e.lead_id is not null
        and (
          lower(find_leads_to_erase.email collate "C") in (
            lower(e.payload #>> '{diff,email,from}' collate "C"), lower(e.payload #>> '{diff,email,to}' collate "C")
          )
          or find_leads_to_erase.phone is not null and array[
            app.phone_key(e.payload #>> '{diff,phone,from}', v_country_code),
            app.phone_key(e.payload #>> '{diff,phone,to}', v_country_code)
          ] && v_phones
        )
    ) as f
    where o.organization_id = find_leads_to_erase.organization_id or find_leads_to_erase.organization_id is null
  loop
    perform audit.record_read(v_lead.organization_id, 'admin.leads_to_erase', array[v_lead.id]);
    lead_organization_id := v_lead.organization_id;
    id := v_lead.id;
    return next;
  end loop;
  -- That nobody has the address is an answer about the leads, too.
  if not found then
    perform audit.record_read(o.organization_id, 'admin.leads_to_erase', '{}')
    from app.organization as o
    where o.organization_id = find_leads_to_erase.organization_id;
  end if;
end $$;

ALTER FUNCTION admin.find_leads_to_erase(organization_id uuid, lead_id uuid, email text, phone text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.find_leads_to_erase(organization_id uuid, lead_id uuid, email text, phone text) IS 'The leads that admin.leads_to_erase lists. Writes the event lead.read for each lead; if there is none, one event for the organization.';

CREATE FUNCTION admin.function_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 WITH routine AS (
          SELECT (p.oid)::regprocedure AS name,
             n.nspname AS schema,
             (s.oid IS NOT NULL) AS is_ours,
             o.rolname AS owner,
             (r.oid IS NOT NULL) AS is_owner_ours,
             COALESCE((n.nspname = ANY (r.definer_schemas)), false) AS may_be_definer,
             p.prosecdef AS is_definer,
             (p.prosqlbody IS NOT NULL) AS is_atomic,
             p.proconfig AS settings,
             p.proleakproof AS is_leakproof,
             COALESCE(p.proacl, acldefault('f'::"char", p.proowner)) AS acl
            FROM ((((pg_proc p
              JOIN pg_namespace n ON ((n.oid = p.pronamespace)))
              JOIN pg_roles o ON ((o.oid = p.proowner)))
              LEFT JOIN admin.schema s ON ((s.oid = n.oid)))
              LEFT JOIN admin.role r ON (((r.oid = o.oid) AND r.is_owner)))
           WHERE ((s.oid IS NOT NULL) OR (r.oid IS NOT NULL))
         ), definer AS (
          SELECT s.schema,
             min(r.name) AS owner
            FROM (admin.role r
              CROSS JOIN LATERAL unnest(r.definer_schemas) s(schema))
           GROUP BY s.schema
         )
  SELECT ('function '::text || f.name),
     'The caller''s search_path or temporary objects decide what the names in the function mean.'::text,
     format('alter routine %s set search_path = pg_catalog, pg_temp;'::text, f.name) AS format
    FROM routine f
   WHERE (f.is_ours AND (NOT f.is_atomic) AND (NOT COALESCE((f.settings @> ARRAY['search_path=pg_catalog, pg_temp'::text]), false)))
 UNION ALL
  SELECT format('grant execute on routine %s to public'::text, f.name) AS format,
     'Every role may execute the function.'::text,
     format('revoke execute on routine %s from public;'::text, f.name) AS format
    FROM routine f
   WHERE (f.is_ours AND ((f.name)::text <> 'api.session_faults()'::text) AND (EXISTS ( SELECT
            FROM aclexplode(f.acl) x(grantor, grantee, privilege_type, is_grantable)
           WHERE (x.grantee = (0)::oid))))
 UNION ALL
  SELECT ('function '::text || f.name),
     format('The function belongs to %s.'::text, f.owner) AS format,
     format('alter routine %s owner to %I;'::text, f.name, COALESCE(d.owner, 'leads_owner'::text)) AS format
    FROM (routine f
      LEFT JOIN definer d ON ((d.schema = f.schema)))
   WHERE (f.is_ours AND ((NOT f.is_owner_ours) OR (f.is_definer AND (d.schema IS NOT NULL) AND (NOT f.may_be_definer))) AND (((f.name)::text <> 'audit.create_partitions(integer)'::text) OR (f.owner <> 'leads_owner'::name)))
 UNION ALL
  SELECT ('function '::text || f.name),
     format('The function is SECURITY DEFINER, with the rights of %s. No function in this schema needs that.'::text, f.owner) AS format,
     format('alter routine %s security invoker;'::text, f.name) AS format
    FROM routine f
   WHERE (f.is_ours AND f.is_definer AND (NOT (f.schema IN ( SELECT d.schema
            FROM definer d))))
 UNION ALL
  SELECT format('%s %s'::text, k.noun, (c.oid)::regclass) AS format,
     format('It belongs to %s, but it is in a schema of another application.'::text, (c.relowner)::regrole) AS format,
     format('drop %s %s;'::text, k.noun, (c.oid)::regclass) AS format
    FROM ((pg_class c
      JOIN admin.role r ON ((r.oid = c.relowner)))
      JOIN ( VALUES ('r'::"char",'table'::text), ('p'::"char",'table'::text), ('v'::"char",'view'::text), ('m'::"char",'materialized view'::text)) k(kind, noun) ON ((k.kind = c.relkind)))
   WHERE ((NOT (c.relnamespace IN ( SELECT s.oid
            FROM admin.schema s))) AND (NOT c.relispartition))
 UNION ALL
  SELECT ('function '::text || f.name),
     format('It belongs to %s, but it is in a schema of another application.'::text, f.owner) AS format,
     format('drop routine %s;'::text, f.name) AS format
    FROM routine f
   WHERE (f.is_owner_ours AND (NOT f.is_ours))
 UNION ALL
  SELECT ('function '::text || f.name),
     'The function is marked as leakproof: the planner may give it rows that a policy hides.'::text,
     format('/* as a superuser */ alter function %s not leakproof;'::text, f.name) AS format
    FROM routine f
   WHERE (f.is_ours AND f.is_leakproof)
 UNION ALL
  SELECT format('default privileges of %s on functions'::text, r.name) AS format,
     'Every role may execute each function that this role creates.'::text,
     format('alter default privileges for role %I revoke execute on functions from public;'::text, r.name) AS format
    FROM (admin.role r
      LEFT JOIN pg_default_acl d ON (((d.defaclrole = r.oid) AND (d.defaclnamespace = (0)::oid) AND (d.defaclobjtype = 'f'::"char"))))
   WHERE (r.is_owner AND (r.oid IS NOT NULL) AND (EXISTS ( SELECT
            FROM aclexplode(COALESCE(d.defaclacl, acldefault('f'::"char", r.oid))) x(grantor, grantee, privilege_type, is_grantable)
           WHERE (x.grantee = (0)::oid))));
END;

ALTER FUNCTION admin.function_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.function_findings() IS 'Findings about functions, and about objects outside of our schemas, in the form of admin.findings().';

CREATE FUNCTION admin.grant_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 WITH privilege AS (
          SELECT (
                 CASE r.kind
                     WHEN 'S'::"char" THEN 'sequence '::text
                     ELSE 'table '::text
                 END || r.name) AS target,
             false AS is_schema,
             lower(x.privilege_type) AS name,
             x.grantee
            FROM (admin.relation r
              CROSS JOIN LATERAL aclexplode(r.acl) x(grantor, grantee, privilege_type, is_grantable))
         UNION ALL
          SELECT ('table '::text || r.name),
             false,
             format('%s (%I)'::text, lower(x.privilege_type), a.attname) AS format,
             x.grantee
            FROM ((admin.relation r
              JOIN pg_attribute a ON ((a.attrelid = r.oid)))
              CROSS JOIN LATERAL aclexplode(a.attacl) x(grantor, grantee, privilege_type, is_grantable))
         UNION ALL
          SELECT format('schema %s'::text, s.name) AS format,
             true,
             lower(x.privilege_type) AS lower,
             x.grantee
            FROM (admin.schema s
              CROSS JOIN LATERAL aclexplode(s.acl) x(grantor, grantee, privilege_type, is_grantable))
         )
  SELECT format('grant %s on %s to %s'::text, p.name, p.target, r.name) AS format,
         CASE
             WHEN p.is_schema THEN 'The role can create objects that take the place of ours.'::text
             ELSE 'The login must access tables through functions only.'::text
         END AS "case",
     format('revoke %s on %s from %I;'::text, p.name, p.target, r.name) AS format
    FROM (privilege p
      JOIN admin.role r ON ((r.oid = p.grantee)))
   WHERE
         CASE
             WHEN p.is_schema THEN ((p.name = 'create'::text) AND (r.kind = ANY (ARRAY['login'::text, 'group'::text])))
             ELSE (r.kind = 'login'::text)
         END
 UNION ALL
  SELECT format('grant %s on %s to public'::text, p.name, p.target) AS format,
     'Every role has the privilege.'::text,
     format('revoke %s on %s from public;'::text, p.name, p.target) AS format
    FROM privilege p
   WHERE (p.grantee = (0)::oid)
 UNION ALL
  SELECT format('grant %s on database to %s'::text, lower(x.privilege_type), COALESCE(r.name, 'public'::text)) AS format,
         CASE x.privilege_type
             WHEN 'CREATE'::text THEN 'The role can create schemas, and in them functions that take the place of others.'::text
             ELSE 'The role can create temporary objects, which take the place of others if a search_path permits it.'::text
         END AS "case",
         CASE
             WHEN ((r.name IS NULL) AND (x.privilege_type = 'TEMPORARY'::text)) THEN 'As a superuser, run in this database: psql -f app/superuser.sql'::text
             ELSE format('revoke %s on database %I from %s;'::text, lower(x.privilege_type), d.datname, COALESCE(r.name, 'public'::text))
         END AS format
    FROM ((pg_database d
      CROSS JOIN LATERAL aclexplode(COALESCE(d.datacl, acldefault('d'::"char", d.datdba))) x(grantor, grantee, privilege_type, is_grantable))
      LEFT JOIN admin.role r ON ((r.oid = x.grantee)))
   WHERE ((d.datname = current_database()) AND (x.privilege_type = ANY (ARRAY['CREATE'::text, 'TEMPORARY'::text])) AND ((x.grantee = (0)::oid) OR (r.kind = ANY (ARRAY['login'::text, 'group'::text]))))
 UNION ALL
  SELECT format('grant %s on schema public to public'::text, lower(x.privilege_type)) AS format,
     'No role may use the schema public, which stays empty.'::text,
     'As a superuser, run in this database: psql -f app/superuser.sql'::text
    FROM (pg_namespace n
      CROSS JOIN LATERAL aclexplode(n.nspacl) x(grantor, grantee, privilege_type, is_grantable))
   WHERE ((n.nspname = 'public'::name) AND (x.grantee = (0)::oid))
 UNION ALL
  SELECT format('grant execute on function %s to public'::text, (f.oid)::regprocedure) AS format,
     k.finding,
     'As a superuser, run in this database: psql -f app/superuser.sql'::text
    FROM ((pg_proc f
      CROSS JOIN LATERAL aclexplode(COALESCE(f.proacl, acldefault('f'::"char", f.proowner))) x(grantor, grantee, privilege_type, is_grantable))
      JOIN ( VALUES ('^lo_(creat|create|from_bytea|import|export)$'::text,0,'Every role can store data in large objects, which no policy protects.'::text), ('^pg_(try_)?advisory_(xact_)?lock(_shared)?$'::text,0,'Every role can fill the server''s table of locks. Then no request gets its locks.'::text), ('^pg_export_snapshot$'::text,0,'Every role can fill a folder of the server with files.'::text), ('^(pg_current_xact_id|txid_current)$'::text,0,'Every role can use up the server''s transaction ids. Then PostgreSQL refuses every write.'::text), ('^pg_logical_emit_message$'::text,170000,'Every role can fill the disk with the write-ahead log.'::text), ('^pg_(current_wal_(insert_|flush_)?lsn|control_checkpoint|stat_get_(backend_)?(io|wal))$'::text,0,'Every role can see how much other sessions write.'::text)) k(pattern, since, finding) ON (((f.proname ~ k.pattern) AND ((current_setting('server_version_num'::text))::integer >= k.since))))
   WHERE ((f.pronamespace = ('pg_catalog'::regnamespace)::oid) AND (x.grantee = (0)::oid))
 UNION ALL
  SELECT format('grant %s on parameter %s to %s'::text, lower(x.privilege_type), p.parname, COALESCE(r.name, 'public'::text)) AS format,
     'The role can change a setting that only superusers may change.'::text,
     format('/* as a superuser */ revoke %s on parameter %s from %s;'::text, lower(x.privilege_type), p.parname, COALESCE(quote_ident(r.name), 'public'::text)) AS format
    FROM ((pg_parameter_acl p
      CROSS JOIN LATERAL aclexplode(p.paracl) x(grantor, grantee, privilege_type, is_grantable))
      LEFT JOIN admin.role r ON ((r.oid = x.grantee)))
   WHERE ((x.grantee = (0)::oid) OR (r.oid IS NOT NULL));
END;

ALTER FUNCTION admin.grant_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.grant_findings() IS 'Findings about privileges, in the form of admin.findings().';

CREATE FUNCTION admin.key_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 SELECT format('index %s on %s'::text, (i.indexrelid)::regclass, t.name) AS format,
     'The index doesn''t begin with organization_id: EXPLAIN shows one organization what others have.'::text,
     format('drop index %s;'::text, (i.indexrelid)::regclass) AS format
    FROM (admin.tenant_table t
      JOIN pg_index i ON ((i.indrelid = t.oid)))
   WHERE ((i.indkey[0] <> t.tenant_column) AND (NOT (EXISTS ( SELECT
            FROM pg_constraint c
           WHERE ((c.conindid = i.indexrelid) AND (c.conrelid = t.oid))))))
 UNION ALL
  SELECT format('constraint %I on %s'::text, c.conname, t.name) AS format,
         CASE c.contype
             WHEN 'f'::"char" THEN 'The foreign key doesn''t begin with organization_id: it can refer to another organization''s row.'::text
             ELSE 'The key doesn''t begin with organization_id: EXPLAIN shows one organization what others have.'::text
         END AS "case",
     format('alter table %s drop constraint %I;'::text, t.name, c.conname) AS format
    FROM ((admin.tenant_table t
      JOIN pg_constraint c ON ((c.conrelid = t.oid)))
      LEFT JOIN pg_index i ON ((i.indexrelid = c.conindid)))
   WHERE ((t.tenant_column <>
         CASE
             WHEN (c.contype = 'f'::"char") THEN c.conkey[1]
             WHEN (c.contype = ANY (ARRAY['p'::"char", 'u'::"char", 'x'::"char"])) THEN i.indkey[0]
             ELSE NULL::smallint
         END) AND (c.conname <> ALL (ARRAY['api_key_digest_is_unique'::name, 'analyst_role_oid_is_unique'::name])));
END;

ALTER FUNCTION admin.key_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.key_findings() IS 'Findings about keys and indexes of tenant tables, in the form of admin.findings().

The remedy drops the key; admin.findings() replaces it by the kept definition if there is one.';

CREATE FUNCTION admin.partition_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    BEGIN ATOMIC
 WITH attached AS (
          SELECT c.oid,
             ((c.oid)::regclass)::text AS name,
             p.oid AS parent,
             p.relname AS root,
             c.relnamespace AS schema_id,
             c.relname AS own_name,
             c.relkind AS kind,
             c.relpersistence AS persistence,
             c.relowner AS owner_id,
             c.relacl AS acl,
             p.relowner AS parent_owner_id,
             b.bound,
             b.year,
             (NOT (b.bound IS DISTINCT FROM format('FOR VALUES FROM (''%s-01-01 00:00:00+00'') TO (''%s-01-01 00:00:00+00'')'::text, b.year, (b.year + 1)))) AS is_year,
             format('%s_%s'::text, p.relname, b.year) AS expected_name
            FROM (((pg_inherits i
              JOIN pg_class c ON ((c.oid = i.inhrelid)))
              JOIN pg_class p ON ((p.oid = i.inhparent)))
              CROSS JOIN LATERAL ( SELECT d.bound,
                     ("substring"(d.bound, '^FOR VALUES FROM \(''(\d{4})-'::text))::integer AS year
                    FROM ( SELECT pg_get_expr(c.relpartbound, c.oid) AS bound) d) b)
           WHERE ((i.inhparent = ANY (ARRAY[(to_regclass('audit.event'::text))::oid, (to_regclass('audit.seal'::text))::oid])) AND (NOT i.inhdetachpending))
         ), needed AS (
          SELECT t.name AS root,
             y.year,
             format('audit.%s_%s'::text, t.name, y.year) AS name
            FROM (( VALUES ('event'::text), ('seal'::text)) t(name)
              CROSS JOIN LATERAL ( SELECT ((EXTRACT(year FROM (now() AT TIME ZONE 'UTC'::text)))::integer + n.n) AS year
                    FROM generate_series(0, 1) n(n)) y)
         )
  SELECT ('table '::text || n.name),
     format('The partition of audit.%s for %s doesn''t exist. Without it every write of that year fails.'::text, n.root, n.year) AS format,
         CASE
             WHEN (to_regclass(n.name) IS NULL) THEN 'select admin.create_audit_partitions();'::text
             WHEN (EXISTS ( SELECT
                FROM attached a
               WHERE (a.oid = (to_regclass(n.name))::oid))) THEN format('The partition has other bounds: detach it, and attach it for the year %s.'::text, n.year)
             ELSE format('alter table audit.%s attach partition %s for values from (''%s-01-01 00:00:00Z'') to (''%s-01-01 00:00:00Z'');'::text, n.root, n.name, n.year, (n.year + 1))
         END AS format
    FROM needed n
   WHERE (NOT (EXISTS ( SELECT
            FROM attached a
           WHERE ((a.root = n.root) AND (a.year = n.year) AND a.is_year))))
 UNION ALL
  SELECT ('table '::text || a.name),
     f.finding,
     f.remedy
    FROM (attached a
      CROSS JOIN LATERAL ( VALUES (((NOT a.is_year) OR (a.kind <> 'r'::"char")),format('A partition of audit.%s must have the rows of one year: %s'::text, a.root, a.bound),format('Detach it, and attach it for one year: alter table audit.%s detach partition %s'::text, a.root, a.name)), ((a.is_year AND (a.own_name <> a.expected_name)),format('The name isn''t audit.%s, so a worker tries to create that partition.'::text, a.expected_name),format('alter table %s rename to %I;'::text, a.name, a.expected_name)), ((a.schema_id <> ('audit'::regnamespace)::oid),'A partition of the audit log must be in the schema audit.'::text,format('alter table %s set schema audit;'::text, a.name)), ((a.owner_id <> a.parent_owner_id),format('The partition belongs to %s.'::text, (a.owner_id)::regrole),format('alter table %s owner to %s;'::text, a.name, (a.parent_owner_id)::regrole)), ((a.persistence <> 'p'::"char"),'The partition is unlogged: a crash of the server empties it.'::text,format('alter table %s set logged;'::text, a.name))) f(is_found, finding, remedy))
   WHERE f.is_found
 UNION ALL
  SELECT DISTINCT format('grant %s on table %s to %s'::text, lower(x.privilege_type), a.name, (x.grantee)::regrole) AS format,
     'Nobody needs a privilege on a partition.'::text,
     format('revoke %s on table %s from %s;'::text, lower(x.privilege_type), a.name, (x.grantee)::regrole) AS format
    FROM (attached a
      CROSS JOIN LATERAL ( SELECT e.grantor,
             e.grantee,
             e.privilege_type,
             e.is_grantable
            FROM aclexplode(a.acl) e(grantor, grantee, privilege_type, is_grantable)
         UNION ALL
          SELECT e.grantor,
             e.grantee,
             e.privilege_type,
             e.is_grantable
            FROM (pg_attribute c
              CROSS JOIN LATERAL aclexplode(c.attacl) e(grantor, grantee, privilege_type, is_grantable))
           WHERE (c.attrelid = a.oid)) x)
   WHERE (((x.grantee <> (0)::oid) AND (x.grantee <> a.owner_id)) AND (NOT (EXISTS ( SELECT
            FROM admin.role r
           WHERE ((r.oid = x.grantee) AND (r.kind = 'login'::text))))))
 UNION ALL
  SELECT format('policy %I on %s'::text, p.polname, a.name) AS format,
     'A partition has no policies, so that nobody reads or writes it by its own name.'::text,
     format('drop policy %I on %s;'::text, p.polname, a.name) AS format
    FROM (attached a
      JOIN pg_policy p ON ((p.polrelid = a.oid)))
 UNION ALL
  SELECT format('trigger %I on %s'::text, t.tgname, a.name) AS format,
         CASE
             WHEN (t.tgparentid <> (0)::oid) THEN 'The trigger fires at other times than that of the parent table.'::text
             ELSE 'The trigger isn''t one that audit.create_partitions creates.'::text
         END AS "case",
         CASE
             WHEN (t.tgparentid <> (0)::oid) THEN format('alter table %s %s trigger %I;'::text, a.name,
             CASE p.tgenabled
                 WHEN 'D'::"char" THEN 'disable'::text
                 WHEN 'A'::"char" THEN 'enable always'::text
                 WHEN 'R'::"char" THEN 'enable replica'::text
                 ELSE 'enable'::text
             END, t.tgname)
             WHEN (t.tgname = '_100_refuse_change'::name) THEN format('drop trigger %I on %s; %s'::text, t.tgname, a.name, g.creation)
             ELSE format('drop trigger %I on %s;'::text, t.tgname, a.name)
         END AS format
    FROM ((((attached a
      JOIN pg_trigger t ON (((t.tgrelid = a.oid) AND (NOT t.tgisinternal))))
      LEFT JOIN pg_trigger p ON ((p.oid = t.tgparentid)))
      CROSS JOIN LATERAL ( SELECT format('CREATE TRIGGER _100_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse(%L)'::text, a.name, format('Use audit.%s, which is append-only.'::text, a.root)) AS definition) e)
      CROSS JOIN LATERAL ( SELECT format('%s; alter table %s enable always trigger _100_refuse_change;'::text, e.definition, a.name) AS creation) g)
   WHERE ((t.tgenabled <> p.tgenabled) OR ((t.tgparentid = (0)::oid) AND (pg_get_triggerdef(t.oid) <> e.definition)))
 UNION ALL
  SELECT format('constraint %I on %s'::text, c.conname, a.name) AS format,
     'The constraint isn''t one of the parent table. It can make every write fail.'::text,
     format('alter table %s drop constraint %I;'::text, a.name, c.conname) AS format
    FROM (attached a
      JOIN pg_constraint c ON ((c.conrelid = a.oid)))
   WHERE ((c.coninhcount = 0) AND (c.contype = ANY (ARRAY['c'::"char", 'f'::"char", 'p'::"char", 'u'::"char", 'x'::"char"])) AND ((a.root <> 'seal'::name) OR (c.conname <> ((a.own_name)::text || '_position_is_unique'::text))))
 UNION ALL
  SELECT ('table '::text || a.name),
     'No constraint holds the positions of an organization''s seals apart: two sealers can make two chains.'::text,
     concat_ws(' '::text, ( SELECT format('alter table %s drop constraint %I;'::text, a.name, c.conname) AS format
            FROM pg_constraint c
           WHERE ((c.conrelid = a.oid) AND (c.conname = ((a.own_name)::text || '_position_is_unique'::text)))), format('alter table %s add constraint %I unique (organization_id, position);'::text, a.name, ((a.own_name)::text || '_position_is_unique'::text))) AS concat_ws
    FROM attached a
   WHERE ((a.root = 'seal'::name) AND (NOT (EXISTS ( SELECT
            FROM pg_constraint c
           WHERE ((c.conrelid = a.oid) AND (c.conname = ((a.own_name)::text || '_position_is_unique'::text)) AND (pg_get_constraintdef(c.oid) = 'UNIQUE (organization_id, "position")'::text))))))
 UNION ALL
  SELECT format('index %s on %s'::text, (x.indexrelid)::regclass, a.name) AS format,
     'The index isn''t one of the parent table.'::text,
     format('drop index %s;'::text, (x.indexrelid)::regclass) AS format
    FROM (attached a
      JOIN pg_index x ON ((x.indrelid = a.oid)))
   WHERE ((NOT (EXISTS ( SELECT
            FROM pg_inherits i
           WHERE (i.inhrelid = x.indexrelid)))) AND (NOT (EXISTS ( SELECT
            FROM pg_constraint c
           WHERE (c.conindid = x.indexrelid)))))
 UNION ALL
  SELECT format('column %s.%I'::text, a.name, c.attname) AS format,
     'The column has another default or expression than in the parent table.'::text,
     'Restore the default or the expression of the parent table.'::text
    FROM ((((attached a
      JOIN pg_attribute c ON (((c.attrelid = a.oid) AND (c.attnum > 0) AND (NOT c.attisdropped))))
      JOIN pg_attribute p ON (((p.attrelid = a.parent) AND (p.attname = c.attname))))
      LEFT JOIN pg_attrdef own ON (((own.adrelid = c.attrelid) AND (own.adnum = c.attnum))))
      LEFT JOIN pg_attrdef parents ON (((parents.adrelid = p.attrelid) AND (parents.adnum = p.attnum))))
   WHERE (pg_get_expr(own.adbin, own.adrelid) IS DISTINCT FROM pg_get_expr(parents.adbin, parents.adrelid));
END;

ALTER FUNCTION admin.partition_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.partition_findings() IS 'Findings about a missing partition of audit.event or audit.seal for this year or the next, and about a partition that isn''t as
audit.create_partitions creates it, in the form of admin.findings().

The kept catalogue doesn''t have the partitions, because a worker creates them. Row-level security, statistics, and triggers
that are missing are findings of the functions for all tables.';

CREATE FUNCTION admin.policy_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 WITH reviewed(role, command, expression) AS (
          SELECT r.name,
             NULL::text AS "?column?",
             'true'::text AS "?column?"
            FROM ( VALUES ('leads_auth'::text), ('leads_jobs'::text), ('leads_audit'::text), ('leads_eraser'::text)) r(name)
         UNION ALL
          SELECT 'leads_exec'::text,
             s.command,
             format('(organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE (%L::text = ANY (k.scopes))))'::text, s.scope) AS format
            FROM ( VALUES ('read'::text,'r'::text), ('write'::text,NULL::text), ('admin'::text,NULL::text)) s(scope, command)
         UNION ALL
          SELECT 'leads_intake'::text,
             s.command,
             s.expression
            FROM ( VALUES (NULL::text,'(organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE (''form''::text = ANY (k.scopes))))'::text), (NULL::text,'((organization_id, key_id) = ( SELECT k.organization_id,
    k.id
   FROM auth.claimed_key k
  WHERE (''form''::text = ANY (k.scopes))))'::text), ('w'::text,'false'::text)) s(command, expression)
         UNION ALL
          SELECT 'leads_bi'::text,
             'r'::text,
             '(organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id))'::text
         ), permission AS (
          SELECT t.name AS "table",
             p_1.polname AS policy,
             p_1.polcmd AS command,
             r.rolname AS role,
             e.expression
            FROM ((((admin.tenant_table t
              JOIN pg_policy p_1 ON (((p_1.polrelid = t.oid) AND p_1.polpermissive)))
              CROSS JOIN LATERAL unnest(p_1.polroles) g(id))
              LEFT JOIN pg_roles r ON ((r.oid = g.id)))
              CROSS JOIN LATERAL ( SELECT COALESCE(pg_get_expr(p_1.polqual, p_1.polrelid), 'true'::text) AS expression
                   WHERE (p_1.polcmd <> 'a'::"char")
                 UNION
                  SELECT COALESCE(pg_get_expr(COALESCE(p_1.polwithcheck, p_1.polqual), p_1.polrelid), 'true'::text) AS "coalesce"
                   WHERE (p_1.polcmd <> ALL (ARRAY['r'::"char", 'd'::"char"]))) e)
         )
  SELECT format('policy %I on %s'::text, p.policy, p."table") AS format,
         CASE
             WHEN (p.role IS NULL) THEN 'The policy applies to every role.'::text
             WHEN (p.expression = 'true'::text) THEN format('The policy gives %s the rows of all organizations.'::text, p.role)
             ELSE format('The policy isn''t of a reviewed form: %s'::text, p.expression)
         END AS format,
     format('drop policy %I on %s;'::text, p.policy, p."table") AS format
    FROM permission p
   WHERE (NOT (EXISTS ( SELECT
            FROM reviewed r
           WHERE ((r.role = p.role) AND (r.expression = p.expression) AND ((p.command)::text = COALESCE(r.command, (p.command)::text))))));
END;

ALTER FUNCTION admin.policy_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.policy_findings() IS 'Findings about permissive policies on tenant tables, in the form of admin.findings().

The remedy drops the policy; admin.findings() replaces it by the kept definition if there is one.';

CREATE FUNCTION admin.role_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 SELECT ('role '::text || r.name),
     'The role doesn''t exist.'::text,
     format('create role %I %s;'::text, r.name,
         CASE r.kind
             WHEN 'login'::text THEN 'login'::text
             ELSE 'nologin'::text
         END) AS format
    FROM admin.role r
   WHERE (r.oid IS NULL)
 UNION ALL
  SELECT ('role '::text || r.name),
     format('The role has the attribute %s, which it doesn''t need.'::text, a.name) AS format,
     format('/* as a superuser */ alter role %I no%s;'::text, r.name, lower(a.name)) AS format
    FROM (admin.role r
      CROSS JOIN LATERAL ( VALUES ('SUPERUSER'::text,r.is_superuser), ('BYPASSRLS'::text,r.bypasses_rls), ('CREATEROLE'::text,r.can_create_roles), ('CREATEDB'::text,r.can_create_databases), ('REPLICATION'::text,r.can_replicate)) a(name, is_held))
   WHERE a.is_held
 UNION ALL
  SELECT ('role '::text || r.name),
     'The role can log in. A role that owns objects must not.'::text,
     format('alter role %I nologin;'::text, r.name) AS format
    FROM admin.role r
   WHERE (r.can_login AND (r.kind <> 'login'::text))
 UNION ALL
  SELECT ('role '::text || r.name),
     'The role can''t log in.'::text,
     format('alter role %I login;'::text, r.name) AS format
    FROM admin.role r
   WHERE ((NOT r.can_login) AND (r.kind = 'login'::text))
 UNION ALL
  SELECT format('membership of %s in %s'::text, m.member, m.granted) AS format,
     format('%s must not be a member of any role, because it gets that role''s rights.'::text, m.member) AS format,
     m.removal
    FROM admin.membership m
   WHERE (m.is_member_ours AND ((m.granted)::text <> 'pg_use_reserved_connections'::text))
 UNION ALL
  SELECT format('membership of %s in %s'::text, m.member, m.granted) AS format,
         CASE m.granted_kind
             WHEN 'sealed'::text THEN 'Nobody may act as this role: only its own functions write or erase the audit log.'::text
             WHEN 'owner'::text THEN 'Only the migrating login may act as this role, which owns objects.'::text
             ELSE 'The member can act as this login.'::text
         END AS "case",
     m.removal
    FROM admin.membership m
   WHERE ((NOT m.is_member_ours) AND (m.may_set OR m.inherits) AND ((m.granted_kind = ANY (ARRAY['sealed'::text, 'login'::text])) OR ((m.granted_kind = 'owner'::text) AND (NOT m.is_migrating))))
 UNION ALL
  SELECT format('membership of %s in %s'::text, m.member, m.granted) AS format,
     'The analyst may SET ROLE to the group. The limits of the analyst''s own login then no longer apply.'::text,
     format('grant %s to %s with inherit true, set false granted by %s;'::text, m.granted, m.member, m.grantor) AS format
    FROM admin.membership m
   WHERE ((m.granted_kind = 'group'::text) AND m.has_options AND m.may_set AND (NOT m.is_member_ours))
 UNION ALL
  SELECT ('role '::text || m.member),
     'The analyst is a superuser or has BYPASSRLS, so row-level security doesn''t apply.'::text,
     format('/* as a superuser */ alter role %s nosuperuser nobypassrls;'::text, m.member) AS format
    FROM admin.membership m
   WHERE ((m.granted_kind = 'group'::text) AND m.bypasses_rls AND (NOT m.is_migrating))
 UNION ALL
  SELECT format('membership of %I in %s'::text, o.rolname, g.name) AS format,
     'The owner of the database, which migrates it, lacks ADMIN OPTION on the role.'::text,
     format('/* as a superuser */ grant %s to %I with admin true, inherit %s, set %3$s;'::text, g.name, o.rolname,
         CASE
             WHEN (g.kind = 'owner'::text) THEN 'true'::text
             ELSE 'false'::text
         END) AS format
    FROM ((pg_database d
      JOIN pg_roles o ON (((o.oid = d.datdba) AND o.rolcanlogin)))
      CROSS JOIN ( SELECT r.oid,
             r.name,
             r.kind
            FROM admin.role r
           WHERE (r.oid IS NOT NULL)
         UNION ALL
          SELECT r.oid,
             quote_ident((r.rolname)::text) AS quote_ident,
             'analyst'::text
            FROM (auth.analyst a
              JOIN pg_roles r ON (((r.oid = a.role_oid) AND (r.rolname = a.role_name))))) g)
   WHERE ((d.datname = current_database()) AND ((current_setting('server_version_num'::text))::integer >= 160000) AND (NOT pg_has_role(o.oid, g.oid, 'MEMBER WITH ADMIN OPTION'::text)));
END;

ALTER FUNCTION admin.role_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.role_findings() IS 'Findings about the roles of auth.roles(), in the form of admin.findings().';

CREATE FUNCTION admin.row_security_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 SELECT ('table '::text || t.name),
     'Row-level security is disabled: every role that may read the table reads the rows of all organizations.'::text,
     format('alter table %s enable row level security;'::text, t.name) AS format
    FROM admin.tenant_table t
   WHERE (NOT t.has_rls)
 UNION ALL
  SELECT ('table '::text || t.name),
     'Row-level security isn''t forced, so it doesn''t apply to the table''s owner.'::text,
     format('alter table %s force row level security;'::text, t.name) AS format
    FROM admin.tenant_table t
   WHERE (NOT t.forces_rls)
 UNION ALL
  SELECT ('view '::text || v.name),
     'The view reads with its owner''s rights and not with those of the caller.'::text,
     format('alter view %s set (security_invoker = true);'::text, v.name) AS format
    FROM admin.relation v
   WHERE ((v.kind = 'v'::"char") AND (NOT COALESCE((v.options @> ARRAY['security_invoker=true'::text]), false)) AND (v.name <> 'auth.claimed_key'::text))
 UNION ALL
  SELECT format('%s %s'::text, r.noun, r.name) AS format,
     format('Row-level security can''t protect a %s.'::text, r.noun) AS format,
     format('drop %s %s;'::text, r.noun, r.name) AS format
    FROM admin.relation r
   WHERE (r.kind = ANY (ARRAY['m'::"char", 'f'::"char"]))
 UNION ALL
  SELECT format('rule %I on %s'::text, w.rulename, r.name) AS format,
     'A rule rewrites statements on the table, and may discard them.'::text,
     format('drop rule %I on %s;'::text, w.rulename, r.name) AS format
    FROM (admin.relation r
      JOIN pg_rewrite w ON ((w.ev_class = r.oid)))
   WHERE ((r.kind <> ALL (ARRAY['v'::"char", 'm'::"char"])) AND (w.rulename <> '_RETURN'::name));
END;

ALTER FUNCTION admin.row_security_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.row_security_findings() IS 'Findings about tables, views and rules that defeat row-level security, in the form of admin.findings().';

CREATE TABLE audit.event (
    id uuid DEFAULT app.new_id() NOT NULL,
    organization_id uuid NOT NULL,
    action text NOT NULL,
    source text NOT NULL,
    correlation_id text,
    lead_id uuid,
    payload json NOT NULL,
    salt bytea,
    payload_digest bytea NOT NULL,
    created_at timestamp(3) with time zone NOT NULL,
    action_and_source text GENERATED ALWAYS AS (((action || '/'::text) || source)) STORED COLLATE pg_catalog."C",
    stage_left text GENERATED ALWAYS AS ((payload #>> '{diff,pipeline_stage,from}'::text[])) STORED COLLATE pg_catalog."C",
    stage_entered text GENERATED ALWAYS AS ((payload #>> '{diff,pipeline_stage,to}'::text[])) STORED COLLATE pg_catalog."C",
    CONSTRAINT event_created_at_is_the_time_of_its_id CHECK ((created_at = app.id_time(id))),
    CONSTRAINT event_payload_digest_has_32_bytes CHECK ((octet_length(payload_digest) = 32)),
    CONSTRAINT event_source_is_known CHECK ((source = ANY (ARRAY['api'::text, 'sql'::text, 'worker'::text, 'system'::text])))
)
PARTITION BY RANGE (created_at);
ALTER TABLE ONLY audit.event ALTER COLUMN id SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN action SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN source SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN correlation_id SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN lead_id SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN payload SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN salt SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN payload_digest SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN created_at SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN action_and_source SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN stage_left SET STATISTICS 0;
ALTER TABLE ONLY audit.event ALTER COLUMN stage_entered SET STATISTICS 0;

ALTER TABLE ONLY audit.event FORCE ROW LEVEL SECURITY;

ALTER TABLE audit.event OWNER TO leads_owner;

COMMENT ON TABLE audit.event IS 'Every change: what changed, who changed it, and from where. Append-only. Partitioned by year.';

COMMENT ON COLUMN audit.event.action IS 'What happened, such as lead.updated.';

COMMENT ON COLUMN audit.event.source IS 'The origin of the change: api, sql, worker or system. It is derived from the login, so a caller cannot choose it.';

COMMENT ON COLUMN audit.event.correlation_id IS 'The X-Request-Id of the request that made the change; null outside requests.';

COMMENT ON COLUMN audit.event.lead_id IS 'The lead that the event is about; null for other events.';

COMMENT ON COLUMN audit.event.payload IS 'What changed, and the API key or the login that changed it.';

COMMENT ON COLUMN audit.event.salt IS '16 random bytes; null once the event''s values are erased.';

COMMENT ON COLUMN audit.event.payload_digest IS 'SHA-256 of the salt and the original payload. It stays when a person''s values are erased.';

COMMENT ON COLUMN audit.event.created_at IS 'When the change was made: the time in id. It is the time of the clock and not of the transaction. Changes of one record wait for each other, so the later change has the later time.';

COMMENT ON COLUMN audit.event.action_and_source IS 'Action and source in one column, for a filter by both.';

COMMENT ON COLUMN audit.event.stage_left IS 'The pipeline stage that the lead left by this change; null: none.';

COMMENT ON COLUMN audit.event.stage_entered IS 'The pipeline stage that the lead entered by this change; null: none.';

CREATE FUNCTION admin.seal_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT ('organization '::text || o.organization_id),
     format('Events without a seal: %s. The oldest is of %s. A change of these events can''t be detected.'::text, q.events, app.utc_text(q.since)) AS format,
     'Start a worker (leads worker), or run once: leads audit seal'::text
    FROM (app.organization o
      CROSS JOIN LATERAL ( SELECT count(*) AS events,
             min(e.created_at) AS since
            FROM (audit.unsealed u
              JOIN audit.event e ON (((e.organization_id = u.organization_id) AND (e.id = u.event_id) AND (e.created_at = app.id_time(u.event_id)))))
           WHERE (u.organization_id = o.organization_id)) q)
   WHERE (q.since < (now() - '00:01:00'::interval))
 UNION ALL
  SELECT ('organization '::text || u.organization_id),
     format('The event %s was removed from the audit log before it was sealed.'::text, u.event_id) AS format,
     format('Find out who removed it. To list the faults, run: leads audit verify --organization %s'::text, u.organization_id) AS format
    FROM audit.unsealed u
   WHERE (NOT (EXISTS ( SELECT
            FROM audit.event e
           WHERE ((e.organization_id = u.organization_id) AND (e.id = u.event_id)))));
END;

ALTER FUNCTION admin.seal_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.seal_findings() IS 'Findings about events of the audit log that have waited for their seal for more than a minute, or that were removed before.

In the form of admin.findings().';

CREATE FUNCTION admin.setting_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 SELECT ('setting '::text || w.name),
         CASE w.harm
             WHEN 'loss'::text THEN 'A power failure can destroy the database.'::text
             WHEN 'corruption'::text THEN 'Data that the disk has corrupted isn''t detected.'::text
             WHEN 'parameters'::text THEN 'The server''s log can contain parameters, which are credentials and personal data.'::text
             WHEN 'rows'::text THEN 'The server''s log can contain personal data, because an error''s DETAIL shows the row.'::text
             ELSE NULL::text
         END AS "case",
         CASE w.harm
             WHEN 'corruption'::text THEN 'Stop the server, and run: pg_checksums --enable -D DATA_FOLDER'::text
             ELSE format('/* as a superuser */ alter system set %s = %L; select pg_reload_conf();'::text, w.name, w.value)
         END AS format
    FROM (( VALUES ('fsync'::text,'on'::text,'loss'::text), ('full_page_writes'::text,'on'::text,'loss'::text), ('data_checksums'::text,'on'::text,'corruption'::text), ('log_error_verbosity'::text,'terse'::text,'rows'::text), ('log_parameter_max_length'::text,'0'::text,'parameters'::text), ('log_parameter_max_length_on_error'::text,'0'::text,'parameters'::text), ('auto_explain.log_parameter_max_length'::text,'0'::text,'parameters'::text), ('pgaudit.log_parameter'::text,'off'::text,'parameters'::text)) w(name, value, harm)
      JOIN pg_settings s ON ((s.name = w.name)))
   WHERE (s.setting <> w.value)
 UNION ALL
  SELECT 'setting temp_file_limit'::text,
     'One query can fill the disk with temporary files.'::text,
     '/* as a superuser */ alter system set temp_file_limit = ''4GB''; select pg_reload_conf();'::text
    FROM pg_settings s
   WHERE ((s.name = 'temp_file_limit'::text) AND (s.setting = '-1'::text))
 UNION ALL
  SELECT 'setting max_prepared_transactions'::text,
     'Every login can leave a prepared transaction behind, which keeps its locks after the session has ended.'::text,
     'As a superuser, run: alter system set max_prepared_transactions = 0. Then restart the server.'::text
    FROM pg_settings s
   WHERE ((s.name = 'max_prepared_transactions'::text) AND (s.setting <> '0'::text))
 UNION ALL
  SELECT 'setting synchronous_commit'::text,
     'A power failure can lose changes that were acknowledged.'::text,
     '/* as a superuser */ alter system set synchronous_commit = ''on''; select pg_reload_conf();'::text
    FROM pg_settings s
   WHERE ((s.name = 'synchronous_commit'::text) AND (s.setting = 'off'::text) AND (s.source = ANY (ARRAY['configuration file'::text, 'command line'::text])))
 UNION ALL
  SELECT 'notification queue'::text,
     format('The queue of NOTIFY is %s %% full. From 50 %% on, workers and servers are no longer notified, and only poll.'::text, round((q.usage * (100)::double precision))) AS format,
     'End the session that listens within a transaction: the server''s log names its process ("NOTIFY queue is … full").'::text
    FROM pg_notification_queue_usage() q(usage)
   WHERE (q.usage > (0.25)::double precision)
 UNION ALL
  SELECT ('database '::text || quote_ident((d.datname)::text)),
     format('The oldest transaction id that isn''t frozen is %s million transactions old. At about 2,100 million, PostgreSQL refuses every write.'::text, (age(d.datfrozenxid) / 1000000)) AS format,
     'End the session at the top of this list: select pid, usename from pg_stat_activity order by greatest(age(backend_xid), age(backend_xmin)) desc nulls last. Drop a replication slot that isn''t used. Then run as a superuser: vacuumdb --all --freeze'::text
    FROM pg_database d
   WHERE (age(d.datfrozenxid) > 500000000)
 UNION ALL
  SELECT format('setting %s of %s'::text, c.name, COALESCE(r.name,
         CASE s.setdatabase
             WHEN 0 THEN 'all roles'::text
             ELSE 'the database'::text
         END)) AS format,
         CASE
             WHEN (c.name ~~ 'leads.%'::text) THEN 'Every session of the login would begin with a claim.'::text
             WHEN (c.name = 'synchronous_commit'::text) THEN 'A power failure can lose changes that were acknowledged.'::text
             WHEN (c.name ~~ 'log\_%'::text) THEN 'The server''s log can contain credentials and personal data.'::text
             ELSE 'The setting changes what functions do, or as which role they run.'::text
         END AS "case",
     format('alter %s reset %s;'::text,
         CASE
             WHEN ((r.oid IS NULL) AND (s.setdatabase = (0)::oid)) THEN 'role all'::text
             WHEN (r.oid IS NULL) THEN format('database %I'::text, current_database())
             WHEN (s.setdatabase = (0)::oid) THEN format('role %I'::text, r.name)
             ELSE format('role %I in database %I'::text, r.name, current_database())
         END, c.name) AS format
    FROM ((pg_db_role_setting s
      LEFT JOIN admin.role r ON ((r.oid = s.setrole)))
      CROSS JOIN LATERAL ( SELECT lower(split_part(u.line, '='::text, 1)) AS name,
             substr(u.line, (strpos(u.line, '='::text) + 1)) AS value
            FROM unnest(s.setconfig) u(line)) c)
   WHERE ((s.setdatabase = ANY (ARRAY[(0)::oid, ( SELECT d.oid
            FROM pg_database d
           WHERE (d.datname = current_database()))])) AND ((s.setrole = (0)::oid) OR (r.oid IS NOT NULL)) AND ((r.oid IS NOT NULL) OR (c.name = ANY (ARRAY['search_path'::text, 'row_security'::text, 'session_replication_role'::text, 'role'::text, 'session_authorization'::text])) OR (c.name = ANY (ARRAY['local_preload_libraries'::text, 'session_preload_libraries'::text])) OR (c.name ~~ 'leads.%'::text) OR ((c.name = 'synchronous_commit'::text) AND (c.value = 'off'::text)) OR ((c.name = ANY (ARRAY['log_parameter_max_length'::text, 'log_parameter_max_length_on_error'::text])) AND (c.value <> '0'::text)) OR ((c.name = 'log_error_verbosity'::text) AND (c.value <> 'terse'::text))));
END;

ALTER FUNCTION admin.setting_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.setting_findings() IS 'Findings about settings, in the form of admin.findings().';

CREATE FUNCTION admin.statistics_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 SELECT format('column %s.%I'::text, t.name, a.attname) AS format,
     'ANALYZE collects statistics of the column: EXPLAIN shows one organization what others have.'::text,
     format('alter table %s alter column %I set statistics 0;'::text, t.name, a.attname) AS format
    FROM (admin.tenant_table t
      JOIN pg_attribute a ON (((a.attrelid = t.oid) AND (a.attnum > 0) AND (NOT a.attisdropped))))
   WHERE (COALESCE((a.attstattarget)::integer, '-1'::integer) <> 0)
 UNION ALL
  SELECT format('index %s on %s'::text, (i.indexrelid)::regclass, t.name) AS format,
     'ANALYZE collects statistics of an expression in the index: EXPLAIN shows one organization what others have.'::text,
     format('alter index %s alter column %s set statistics 0;'::text, (i.indexrelid)::regclass, a.attnum) AS format
    FROM ((admin.tenant_table t
      JOIN pg_index i ON ((i.indrelid = t.oid)))
      JOIN pg_attribute a ON ((a.attrelid = i.indexrelid)))
   WHERE ((i.indkey[(a.attnum - 1)] = 0) AND (COALESCE((a.attstattarget)::integer, '-1'::integer) <> 0))
 UNION ALL
  SELECT format('statistics %I.%I'::text, n.nspname, s.stxname) AS format,
     'ANALYZE collects statistics of several columns: EXPLAIN shows one organization what others have.'::text,
     format('drop statistics %I.%I;'::text, n.nspname, s.stxname) AS format
    FROM ((admin.tenant_table t
      JOIN pg_statistic_ext s ON ((s.stxrelid = t.oid)))
      JOIN pg_namespace n ON ((n.oid = s.stxnamespace)))
 UNION ALL
  SELECT format('index %s on %s'::text, (i.indexrelid)::regclass, r.name) AS format,
     'The index is invalid, so no query uses it: CREATE INDEX CONCURRENTLY did not finish.'::text,
     format('reindex index %s;'::text, (i.indexrelid)::regclass) AS format
    FROM (admin.relation r
      JOIN pg_index i ON ((i.indrelid = r.oid)))
   WHERE (NOT i.indisvalid);
END;

ALTER FUNCTION admin.statistics_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.statistics_findings() IS 'Findings about statistics of tenant tables and about invalid indexes, in the form of admin.findings().';

CREATE FUNCTION admin.trigger_findings() RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET quote_all_identifiers TO 'off'
    BEGIN ATOMIC
 WITH expected_trigger AS (
          SELECT t.oid,
             t.name AS "table",
             t.root,
             t.is_partition,
             '_900_record'::name AS name,
             false AS is_always,
                 CASE t.name
                     WHEN 'scoring.score'::text THEN (1 | 8)
                     ELSE (((1 | 4) | 8) | 16)
                 END AS type,
                 CASE
                     WHEN (t.name = ANY (ARRAY['app.lead'::text, 'scoring.signal'::text, 'scoring.score'::text, 'crm.sync'::text])) THEN '(CURRENT_USER <> ''leads_eraser''::name)'::text
                     ELSE NULL::text
                 END AS condition
            FROM admin.tenant_table t
           WHERE ((NOT t.is_partition) AND (t.name <> ALL (ARRAY['app.idempotency_key'::text, 'app.lead_word'::text, 'app.unindexed_lead'::text, 'intake.submission'::text, 'intake.client'::text, 'crm.attempt'::text, 'audit.event'::text, 'audit.unsealed'::text, 'audit.seal'::text])))
         UNION ALL
          SELECT t.oid,
             t.name,
             t.root,
             t.is_partition,
             g.trigger,
             g.is_always,
             NULL::integer,
             NULL::text
            FROM (( VALUES ('app.lead'::text,'_100_refuse_truncate'::text,false), ('app.lead'::text,'_110_check_first_score'::text,false), ('app.lead'::text,'_120_check_score'::text,false), ('app.lead'::text,'_600_keep_first_score'::text,false), ('app.lead'::text,'_610_keep_set_score'::text,false), ('app.lead'::text,'_910_push_first_stage'::text,false), ('app.lead'::text,'_920_push_stage'::text,false), ('app.lead_word'::text,'_100_refuse_truncate'::text,false), ('app.unindexed_lead'::text,'_100_refuse_truncate'::text,false), ('auth.api_key'::text,'_100_refuse_truncate'::text,false), ('crm.attempt'::text,'_100_refuse_truncate'::text,false), ('crm.attempt'::text,'_110_keep_outcome'::text,false), ('crm.connection'::text,'_100_refuse_truncate'::text,false), ('intake.form'::text,'_100_refuse_truncate'::text,false), ('intake.form'::text,'_120_keep_identity'::text,false), ('intake.submission'::text,'_100_refuse_truncate'::text,false), ('crm.sync'::text,'_100_refuse_truncate'::text,false), ('crm.sync'::text,'_110_keep_identity'::text,false), ('crm.sync'::text,'_120_keep_outcome'::text,false), ('crm.sync'::text,'_130_count_up'::text,false), ('crm.sync'::text,'_140_lease_by_attempt'::text,false), ('scoring.model'::text,'_100_refuse_truncate'::text,false), ('scoring.model'::text,'_130_keep_active'::text,false), ('scoring.model'::text,'_140_keep_history'::text,false), ('scoring.score'::text,'_100_refuse_truncate'::text,false), ('scoring.score'::text,'_110_refuse_change'::text,false), ('scoring.score'::text,'_120_check'::text,false), ('scoring.score'::text,'_500_apply'::text,false), ('scoring.signal'::text,'_100_refuse_truncate'::text,false), ('audit.event'::text,'_100_refuse_change'::text,true), ('audit.event'::text,'_105_refuse_delete'::text,true), ('audit.event'::text,'_110_refuse_truncate'::text,true), ('audit.event'::text,'_120_check_erasure'::text,true), ('audit.seal'::text,'_100_refuse_change'::text,true), ('audit.seal'::text,'_110_refuse_truncate'::text,true), ('audit.unsealed'::text,'_100_refuse_truncate'::text,false)) g("table", trigger, is_always)
              JOIN admin.tenant_table t ON ((t.name = g."table")))
         UNION ALL
          SELECT t.oid,
             t.name,
             t.root,
             t.is_partition,
             '_100_refuse_change'::name,
             true,
             NULL::integer,
             NULL::text
            FROM admin.tenant_table t
           WHERE (t.is_partition AND (t.root = ANY (ARRAY['audit.event'::text, 'audit.seal'::text])))
         )
  SELECT format('trigger %I on %s'::text, e.name, e."table") AS format,
         CASE e.name
             WHEN '_900_record'::name THEN 'The trigger doesn''t exist: the audit log doesn''t record changes of the table.'::text
             ELSE 'The trigger doesn''t exist: changes that must be refused or checked are not.'::text
         END AS "case",
         CASE
             WHEN e.is_partition THEN format('create trigger %1$I before update or delete or truncate on %2$s for each statement execute function audit.tg_refuse(%3$L); alter table %2$s enable always trigger %1$I;'::text, e.name, e."table", format('Use %s, which is append-only.'::text, e.root))
             ELSE 'Create the trigger in a new migration, like the triggers of similar tables in sql/. Then run: leads migrate'::text
         END AS "case"
    FROM expected_trigger e
   WHERE (NOT (EXISTS ( SELECT
            FROM pg_trigger t
           WHERE ((t.tgrelid = e.oid) AND (t.tgname = e.name)))))
 UNION ALL
  SELECT format('trigger %I on %s'::text, e.name, e."table") AS format,
     'The trigger doesn''t fire for every change, so the audit log doesn''t record all of them.'::text,
     'Create the trigger in a new migration, like the triggers of similar tables in sql/. Then run: leads migrate'::text
    FROM ((expected_trigger e
      JOIN pg_trigger t ON (((t.tgrelid = e.oid) AND (t.tgname = e.name))))
      JOIN pg_proc f ON ((f.oid = t.tgfoid)))
   WHERE ((e.name = '_900_record'::name) AND ((((t.tgtype)::integer & 31) <> e.type) OR (e.condition IS DISTINCT FROM "substring"(pg_get_triggerdef(t.oid), ' WHEN \((.*)\) EXECUTE FUNCTION '::text)) OR ((t.tgattr)::text <> ''::text) OR (f.pronamespace <> ('audit'::regnamespace)::oid)))
 UNION ALL
  SELECT format('trigger %I on %s'::text, t.tgname, r.name) AS format,
         CASE
             WHEN (t.tgenabled = 'D'::"char") THEN 'The trigger is disabled.'::text
             WHEN (t.tgenabled = 'R'::"char") THEN 'The trigger fires for replicated changes only.'::text
             ELSE 'The trigger doesn''t fire if session_replication_role is replica.'::text
         END AS "case",
     format('alter table %s enable %strigger %I;'::text, r.name,
         CASE
             WHEN e.is_always THEN 'always '::text
             ELSE NULL::text
         END, t.tgname) AS format
    FROM ((admin.relation r
      JOIN pg_trigger t ON ((t.tgrelid = r.oid)))
      LEFT JOIN expected_trigger e ON (((e.oid = r.oid) AND (e.name = t.tgname))))
   WHERE (((t.tgenabled = ANY (ARRAY['D'::"char", 'R'::"char"])) OR (e.is_always AND (t.tgenabled <> 'A'::"char"))) AND ((t.tgparentid = (0)::oid) OR t.tgisinternal));
END;

ALTER FUNCTION admin.trigger_findings() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.trigger_findings() IS 'Findings about triggers that don''t exist or don''t always fire, in the form of admin.findings().

If a kept definition of the trigger exists, admin.findings() uses it as the remedy.';

CREATE FUNCTION admin.findings(release integer DEFAULT NULL::integer) RETURNS TABLE(subject text, finding text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    BEGIN ATOMIC
 WITH drift AS (
          SELECT d.object,
             d.change,
             d.remedy,
             d.definition,
             d.whole
            FROM admin.drift() d(object, change, remedy, definition, whole)
           WHERE (d.whole IS NULL)
         ), rule_finding AS (
          SELECT f.subject,
             f.finding,
             f.remedy,
             false AS is_restorable
            FROM admin.role_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             false
            FROM admin.row_security_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             true
            FROM admin.policy_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             false
            FROM admin.analyst_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             true
            FROM admin.trigger_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             true
            FROM admin.key_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             false
            FROM admin.statistics_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             false
            FROM admin.function_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             false
            FROM admin.grant_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             false
            FROM admin.seal_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             false
            FROM admin.partition_findings() f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             false
            FROM admin.api_findings(findings.release) f(subject, finding, remedy)
         UNION ALL
          SELECT f.subject,
             f.finding,
             f.remedy,
             false
            FROM admin.setting_findings() f(subject, finding, remedy)
         )
  SELECT f.subject,
     f.finding,
         CASE
             WHEN f.is_restorable THEN COALESCE(d.remedy, f.remedy)
             ELSE f.remedy
         END AS remedy
    FROM (rule_finding f
      LEFT JOIN drift d ON ((d.object = f.subject)))
 UNION ALL
  SELECT d.object,
         CASE
             WHEN ((d.object = 'catalogue'::text) AND (d.change = 'new'::text)) THEN 'No catalogue is kept, so changes can''t be detected.'::text
             WHEN (d.object = 'catalogue'::text) THEN 'Another version of PostgreSQL kept the catalogue, so changes can''t be detected.'::text
             WHEN (d.change = 'new'::text) THEN 'No migration has created it.'::text
             WHEN (d.change = 'missing'::text) THEN 'It doesn''t exist, and no migration has dropped it.'::text
             ELSE 'It was changed, and not by a migration.'::text
         END AS "case",
     d.remedy
    FROM drift d
   WHERE (NOT (EXISTS ( SELECT
            FROM rule_finding f
           WHERE (f.subject = d.object))));
END;

ALTER FUNCTION admin.findings(release integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.findings(release integer) IS 'What is wrong with this database: one row for each finding.

release: the number of the newest migration that the calling program has; null: versions aren''t compared. remedy: SQL, which
ends with a semicolon, or else a command or a sentence. Some things only a superuser can see, and this function doesn''t check:
pg_hba.conf, passwords, the libraries that the server loads, and statistics that ANALYZE collected before.';

CREATE TABLE intake.preset (
    name text NOT NULL,
    title text NOT NULL,
    source text NOT NULL,
    required jsonb DEFAULT '{}'::jsonb NOT NULL,
    content_path text,
    list_path text,
    list_keys text[] DEFAULT '{}'::text[] NOT NULL,
    list_values text[] DEFAULT '{}'::text[] NOT NULL,
    list_labels text[] DEFAULT '{}'::text[] NOT NULL,
    titles_path text,
    event_paths text[] DEFAULT '{}'::text[] NOT NULL,
    signature text,
    mapping jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT preset_name_is_name CHECK (app.is_name(name)),
    CONSTRAINT preset_signature_is_known CHECK ((signature = ANY (ARRAY['google_key'::text, 'typeform'::text, 'calendly'::text, 'webflow'::text]))),
    CONSTRAINT preset_source_is_name CHECK (app.is_name(source))
);

ALTER TABLE intake.preset OWNER TO leads_owner;

COMMENT ON TABLE intake.preset IS 'What is known about the services that send leads: where their answers stand.';

COMMENT ON COLUMN intake.preset.title IS 'The name of the service.';

COMMENT ON COLUMN intake.preset.source IS 'The source of its leads, unless the form has another.';

COMMENT ON COLUMN intake.preset.required IS 'An object of paths and the value that each must have. Anything else that the service sends is no lead.';

COMMENT ON COLUMN intake.preset.content_path IS 'The path of a text that is the JSON object with the answers.';

COMMENT ON COLUMN intake.preset.list_path IS 'The path of a list, or an object, whose members are the answers.';

COMMENT ON COLUMN intake.preset.list_keys IS 'The paths in an answer that name it: the first that is there.';

COMMENT ON COLUMN intake.preset.list_values IS 'The paths in an answer that have its value: the first that is there.';

COMMENT ON COLUMN intake.preset.list_labels IS 'The paths in an answer that have the text of its question.';

COMMENT ON COLUMN intake.preset.titles_path IS 'The path of a list of questions, each with id and title.';

COMMENT ON COLUMN intake.preset.event_paths IS 'The paths of the id of the submission: the first that is there.';

COMMENT ON COLUMN intake.preset.signature IS 'How the service proves that it is the sender, if the form has its secret. google_key: it sends the secret itself.';

COMMENT ON COLUMN intake.preset.mapping IS 'As intake.form.mapping. A name type:X stands for all answers of the type X.';

CREATE FUNCTION admin.form_presets() RETURNS TABLE(name text, title text, signature text)
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT p.name,
     p.title,
     p.signature
    FROM intake.preset p
   ORDER BY p.name;
END;

ALTER FUNCTION admin.form_presets() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.form_presets() IS 'The presets of forms. signature: how the service proves that it is the sender; null: it does not.';

CREATE FUNCTION admin.form_submissions(organization_id uuid, form_id uuid DEFAULT NULL::uuid, batch integer DEFAULT 100) RETURNS TABLE(id uuid, submitted_to uuid, outcome text, lead_id uuid, faults jsonb, content jsonb, created_at text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.known_organization(form_submissions.organization_id)).organization_id;
begin
  perform audit.record_read(
    v_organization_id,
    'admin.form_submissions',
    array(
      select distinct s.lead_id
      from intake.submission as s
      where
        s.organization_id = v_organization_id
        and s.lead_id is not null
        and s.content is not null
        and (s.form_id = form_submissions.form_id or form_submissions.form_id is null)
    )
  );
  return query
    select s.id, s.form_id, s.outcome, s.lead_id, s.faults, s.content, app.utc_text(s.created_at)
    from intake.submission as s
    where
      s.organization_id = v_organization_id
      and s.content is not null
      and (s.form_id = form_submissions.form_id or form_submissions.form_id is null)
    order by s.created_at desc, s.id desc
    limit form_submissions.batch;
end $$;

ALTER FUNCTION admin.form_submissions(organization_id uuid, form_id uuid, batch integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.form_submissions(organization_id uuid, form_id uuid, batch integer) IS 'What could not become a lead, or not whole, in the last 30 days: the newest first, and at most batch.

form_id: null for all forms of the organization. The read is recorded in the audit log. Raises PT404 organization_not_found.';

CREATE TABLE auth.api_key (
    organization_id uuid NOT NULL,
    id uuid DEFAULT app.new_id() NOT NULL,
    name text,
    scopes text[] NOT NULL,
    digest bytea NOT NULL,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    expires_at timestamp(3) with time zone,
    revoked_at timestamp(3) with time zone,
    rotated_from uuid,
    CONSTRAINT api_key_digest_has_32_bytes CHECK ((octet_length(digest) = 32)),
    CONSTRAINT api_key_name_is_text_of_1_to_255 CHECK (app.is_text(name, 255)),
    CONSTRAINT api_key_scopes_are_a_level CHECK (((((scopes = ARRAY['read'::text]) OR (scopes = ARRAY['read'::text, 'write'::text])) OR (scopes = ARRAY['read'::text, 'write'::text, 'admin'::text])) OR (scopes = ARRAY['form'::text])))
);
ALTER TABLE ONLY auth.api_key ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY auth.api_key ALTER COLUMN id SET STATISTICS 0;
ALTER TABLE ONLY auth.api_key ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE ONLY auth.api_key ALTER COLUMN scopes SET STATISTICS 0;
ALTER TABLE ONLY auth.api_key ALTER COLUMN digest SET STATISTICS 0;
ALTER TABLE ONLY auth.api_key ALTER COLUMN created_at SET STATISTICS 0;
ALTER TABLE ONLY auth.api_key ALTER COLUMN expires_at SET STATISTICS 0;
ALTER TABLE ONLY auth.api_key ALTER COLUMN revoked_at SET STATISTICS 0;
ALTER TABLE ONLY auth.api_key ALTER COLUMN rotated_from SET STATISTICS 0;

ALTER TABLE ONLY auth.api_key FORCE ROW LEVEL SECURITY;

ALTER TABLE auth.api_key OWNER TO leads_auth;

COMMENT ON TABLE auth.api_key IS 'API keys. The key itself is not stored: only the SHA-256 of its SHA-256 is.';

COMMENT ON COLUMN auth.api_key.scopes IS 'What the key may do: {read}, {read,write} or {read,write,admin}; {form}: it is the token of a form.';

COMMENT ON COLUMN auth.api_key.digest IS 'SHA-256 of the SHA-256 of the key. A request proves its key with the inner digest, so this digest proves nothing.';

COMMENT ON COLUMN auth.api_key.expires_at IS 'The key is refused from this time on; null: it does not expire.';

COMMENT ON COLUMN auth.api_key.rotated_from IS 'The id of the key that this key replaces.';

CREATE FUNCTION auth.key_state(organization_id uuid, id uuid) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN ((k.revoked_at IS NOT NULL) OR (k.expires_at <= now())) THEN 'revoked'::text
             ELSE 'active'::text
         END AS "case"
    FROM auth.api_key k
   WHERE ((k.organization_id = key_state.organization_id) AND (k.id = key_state.id));
END;

ALTER FUNCTION auth.key_state(organization_id uuid, id uuid) OWNER TO leads_auth;

COMMENT ON FUNCTION auth.key_state(organization_id uuid, id uuid) IS 'active, or revoked if the key is revoked or has expired; null: the organization has no such key.';

CREATE TABLE intake.form (
    organization_id uuid NOT NULL,
    id uuid DEFAULT app.new_id() NOT NULL,
    key_id uuid NOT NULL,
    name text,
    preset text,
    source text NOT NULL,
    mapping jsonb DEFAULT '{}'::jsonb NOT NULL,
    constants jsonb DEFAULT '{}'::jsonb NOT NULL,
    origins text[] DEFAULT '{}'::text[] NOT NULL,
    honeypot text,
    redirect_url text,
    on_duplicate text DEFAULT 'create'::text NOT NULL,
    duplicate_hours integer DEFAULT 24 NOT NULL,
    requests_per_minute integer DEFAULT 60 NOT NULL,
    credential bytea,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    CONSTRAINT form_constants_are_an_object CHECK ((jsonb_typeof(constants) = 'object'::text)),
    CONSTRAINT form_has_at_most_20_origins CHECK ((cardinality(origins) <= 20)),
    CONSTRAINT form_honeypot_is_text_of_1_to_64 CHECK (app.is_text(honeypot, 64)),
    CONSTRAINT form_looks_for_duplicates_of_at_most_a_year CHECK (((duplicate_hours >= 1) AND (duplicate_hours <= 8760))),
    CONSTRAINT form_mapping_is_an_object CHECK ((jsonb_typeof(mapping) = 'object'::text)),
    CONSTRAINT form_name_is_text_of_1_to_255 CHECK (app.is_text(name, 255)),
    CONSTRAINT form_on_duplicate_is_known CHECK ((on_duplicate = ANY (ARRAY['create'::text, 'skip'::text, 'fill'::text]))),
    CONSTRAINT form_preset_is_name CHECK (app.is_name(preset)),
    CONSTRAINT form_redirect_url_is_http CHECK (((redirect_url ~ '^https?://'::text) AND (char_length(redirect_url) <= 2000))),
    CONSTRAINT form_source_is_name CHECK (app.is_name(source)),
    CONSTRAINT form_takes_1_to_6000_requests_per_minute CHECK (((requests_per_minute >= 1) AND (requests_per_minute <= 6000)))
);
ALTER TABLE ONLY intake.form ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN id SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN key_id SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN preset SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN source SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN mapping SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN constants SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN origins SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN honeypot SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN redirect_url SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN on_duplicate SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN duplicate_hours SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN requests_per_minute SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN credential SET STATISTICS 0;
ALTER TABLE ONLY intake.form ALTER COLUMN created_at SET STATISTICS 0;

ALTER TABLE ONLY intake.form FORCE ROW LEVEL SECURITY;

ALTER TABLE intake.form OWNER TO leads_owner;

COMMENT ON TABLE intake.form IS 'Forms: each is an address, with a token in it, to which anything can send leads.';

COMMENT ON COLUMN intake.form.key_id IS 'The key that is the token of the form.';

COMMENT ON COLUMN intake.form.name IS 'A name that says what the form is for.';

COMMENT ON COLUMN intake.form.preset IS 'The service that sends to the form; null: anything.';

COMMENT ON COLUMN intake.form.source IS 'The source of the form''s leads.';

COMMENT ON COLUMN intake.form.mapping IS 'An object: from the path or the question of a value to the field of the lead, details.NAME, signals.NAME, ignore, or auto: where its name usually belongs. * in a path stands for any characters.';

COMMENT ON COLUMN intake.form.constants IS 'An object of values that each lead of the form has, by field or details.NAME.';

COMMENT ON COLUMN intake.form.origins IS 'The origins of the web pages that may send to the form; empty: any.';

COMMENT ON COLUMN intake.form.honeypot IS 'The name of a field that people do not see. What has a value in it is spam.';

COMMENT ON COLUMN intake.form.redirect_url IS 'Where a browser goes after it has sent the form; null: it shows JSON.';

COMMENT ON COLUMN intake.form.on_duplicate IS 'What happens if the organization has a lead with the same e-mail address or phone number. create: another lead; skip: nothing; fill: the empty fields of the lead are filled in.';

COMMENT ON COLUMN intake.form.duplicate_hours IS 'How old that lead may be.';

COMMENT ON COLUMN intake.form.requests_per_minute IS 'How many requests a client address may send per minute.';

COMMENT ON COLUMN intake.form.credential IS 'The secret of the sender''s signature, encrypted with the SHA-256 of the token: 16 random bytes, then the ciphertext. The database stores neither the token nor its SHA-256.';

CREATE FUNCTION intake.form_item(organization_id uuid, form_id uuid, token text) RETURNS api.form
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT f.id,
     f.organization_id,
     f.name,
     f.preset,
     f.source,
     (f.mapping)::json AS mapping,
     (f.constants)::json AS constants,
     f.origins,
     f.honeypot,
     f.redirect_url,
     f.on_duplicate,
     f.duplicate_hours,
     f.requests_per_minute,
     (f.credential IS NOT NULL),
     auth.key_state(f.organization_id, f.key_id) AS key_state,
     ('/in/'::text || form_item.token),
     app.utc_text(f.created_at) AS utc_text
    FROM intake.form f
   WHERE ((f.organization_id = form_item.organization_id) AND (f.id = form_item.form_id));
END;

ALTER FUNCTION intake.form_item(organization_id uuid, form_id uuid, token text) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.form_item(organization_id uuid, form_id uuid, token text) IS 'The form, or null. token: of a form that was just created; null: the address is not shown.';

CREATE FUNCTION admin.forms(organization_id uuid DEFAULT NULL::uuid) RETURNS SETOF api.form
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT (i.item).id AS id,
     (i.item).organization_id AS organization_id,
     (i.item).name AS name,
     (i.item).preset AS preset,
     (i.item).source AS source,
     (i.item).mapping AS mapping,
     (i.item).constants AS constants,
     (i.item).origins AS origins,
     (i.item).honeypot AS honeypot,
     (i.item).redirect_url AS redirect_url,
     (i.item).on_duplicate AS on_duplicate,
     (i.item).duplicate_hours AS duplicate_hours,
     (i.item).requests_per_minute AS requests_per_minute,
     (i.item).has_secret AS has_secret,
     (i.item).state AS state,
     (i.item).address AS address,
     (i.item).created_at AS created_at
    FROM (intake.form f
      CROSS JOIN LATERAL ( SELECT intake.form_item(f.organization_id, f.id, NULL::text) AS item
          OFFSET 0) i)
   WHERE ((f.organization_id = forms.organization_id) OR (forms.organization_id IS NULL))
   ORDER BY f.created_at, f.id;
END;

ALTER FUNCTION admin.forms(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.forms(organization_id uuid) IS 'The forms of an organization, the oldest first, without their addresses. organization_id: null for all organizations.';

CREATE FUNCTION admin.good_key(id uuid, OUT organization_id uuid, OUT environment text, OUT name text, OUT scopes text[], OUT expires_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_key record;
begin
  -- The organization isn't known before the key is found.
  select k.organization_id, o.environment, k.name, k.scopes, k.expires_at, k.revoked_at into v_key
  from auth.api_key as k
  join app.organization as o on o.organization_id = k.organization_id
  where k.id = good_key.id
  for update of k;
  if not found then
    raise sqlstate 'PT404' using
      message = 'key_not_found',
      hint = format('There is no key %s. To list the keys, run: leads keys list', good_key.id);
  end if;
  if v_key.revoked_at is not null or v_key.expires_at <= now() then
    raise sqlstate 'PT409' using
      message = 'key_not_good',
      hint = format('The key %s is revoked or has expired. To create a new one, run: leads keys create', good_key.id);
  end if;
  organization_id := v_key.organization_id;
  environment := v_key.environment;
  name := v_key.name;
  scopes := v_key.scopes;
  expires_at := v_key.expires_at;
end $$;

ALTER FUNCTION admin.good_key(id uuid, OUT organization_id uuid, OUT environment text, OUT name text, OUT scopes text[], OUT expires_at timestamp with time zone) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.good_key(id uuid, OUT organization_id uuid, OUT environment text, OUT name text, OUT scopes text[], OUT expires_at timestamp with time zone) IS 'Locks and returns the key. Raises PT404 key_not_found, PT409 key_not_good.';

CREATE FUNCTION admin.index_leads(after uuid DEFAULT NULL::uuid, batch integer DEFAULT 1000) RETURNS TABLE(organization_id uuid, indexed integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := coalesce(index_leads.after, '00000000-0000-0000-0000-000000000000');
  v_ids uuid[];
  v_present uuid[];
  v_locked uuid[];
begin
  v_organization_id := (
    select u.organization_id
    from app.unindexed_lead as u
    where u.organization_id > v_organization_id
    order by u.organization_id
    limit 1
  );
  if v_organization_id is null then
    return;
  end if;
  v_ids := array(
    select u.lead_id
    from app.unindexed_lead as u
    where u.organization_id = v_organization_id
    order by u.lead_id
    limit index_leads.batch
  );
  -- An erasure that is running has locked its lead: it must not wait, and the lead must not get words afterwards.
  v_present := array(
    select l.id from app.lead as l where l.organization_id = v_organization_id and l.id = any (v_ids)
  );
  v_locked := array(
    select l.id from app.lead as l where l.organization_id = v_organization_id and l.id = any (v_present)
    for key share skip locked
  );
  -- Before the leads are read, so that a lead that changes from now on is put into the queue again. Another worker may
  -- have taken some of them.
  with deleted as (
    delete from app.unindexed_lead as u
    where
      u.organization_id = v_organization_id
      and u.lead_id = any (v_ids)
      and (u.lead_id = any (v_locked) or u.lead_id <> all (v_present))
    returning u.lead_id
  )
  select coalesce(array_agg(d.lead_id), '{}') into v_ids from deleted as d;

  delete from app.lead_word as w where w.organization_id = v_organization_id and w.lead_id = any (v_ids);
  insert into app.lead_word (organization_id, lead_id, word, created_at)
  select l.organization_id, l.id, w.word, l.created_at
  from app.lead as l
  cross join lateral unnest(app.lead_words(l.name, l.company, l.email)) as w (word)
  where l.organization_id = v_organization_id and l.id = any (v_ids) and l.id = any (v_locked);
  return query select v_organization_id, cardinality(v_ids);
end $$;

ALTER FUNCTION admin.index_leads(after uuid, batch integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.index_leads(after uuid, batch integer) IS 'Stores the words of up to batch leads of one organization that are in the queue app.unindexed_lead.

It takes the first organization with an id greater than "after" that has leads in the queue; null: the first of all. Returns no
row if there is no such organization. indexed: the number of leads.

A lead that another session has locked stays in the queue. Several workers may call it at the same time.';

CREATE FUNCTION admin.keep_catalogue(drifted jsonb DEFAULT '{}'::jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    BEGIN ATOMIC
 WITH live AS (
          SELECT c.object,
             c.definition
            FROM admin.catalogue() c(object, definition, removal)
         ), adrift AS (
          SELECT d.object
            FROM (jsonb_each_text(keep_catalogue.drifted) d(object, definition)
              LEFT JOIN live l ON ((l.object = d.object)))
           WHERE (NOT (l.definition IS DISTINCT FROM d.definition))
         ), gone AS (
          DELETE FROM admin.catalogue_entry e
           WHERE ((NOT (EXISTS ( SELECT
                    FROM live l
                   WHERE (l.object = e.object)))) AND (NOT (EXISTS ( SELECT
                    FROM adrift a
                   WHERE (a.object = e.object)))))
         )
  INSERT INTO admin.catalogue_entry (object, definition)  SELECT l.object,
             l.definition
            FROM live l
           WHERE (NOT (EXISTS ( SELECT
                    FROM adrift a
                   WHERE (a.object = l.object)))) ON CONFLICT(object) DO UPDATE SET definition = excluded.definition;
END;

ALTER FUNCTION admin.keep_catalogue(drifted jsonb) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.keep_catalogue(drifted jsonb) IS 'Stores the present catalogue. Only the migrating login may execute it: an operator must not accept changes made by others.

drifted: definition by object, as admin.drift() returned them before the migrations. Objects that still have these definitions
are not stored.';

CREATE FUNCTION admin.keys(organization_id uuid DEFAULT NULL::uuid) RETURNS TABLE(id uuid, organization_id uuid, name text, scopes text[], state text, created_at text, expires_at text, revoked_at text, rotated_from uuid)
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT k.id,
     k.organization_id,
     k.name,
     k.scopes,
         CASE
             WHEN (k.revoked_at IS NOT NULL) THEN 'revoked'::text
             WHEN (k.expires_at <= now()) THEN 'expired'::text
             ELSE 'good'::text
         END AS "case",
     app.utc_text(k.created_at) AS utc_text,
     app.utc_text(k.expires_at) AS utc_text,
     app.utc_text(k.revoked_at) AS utc_text,
     k.rotated_from
    FROM auth.api_key k
   WHERE ((k.organization_id = keys.organization_id) OR (keys.organization_id IS NULL))
   ORDER BY k.created_at, k.id;
END;

ALTER FUNCTION admin.keys(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.keys(organization_id uuid) IS 'The keys of an organization, the oldest first. organization_id: null for all organizations.';

CREATE FUNCTION admin.known_form(form_id uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- The organization isn't known before the form is found.
  v_organization_id uuid := (select f.organization_id from intake.form as f where f.id = known_form.form_id);
begin
  if v_organization_id is null then
    raise sqlstate 'PT404' using
      message = 'form_not_found',
      hint = format('There is no form %s. To list the forms, run: leads forms list', known_form.form_id);
  end if;
  return v_organization_id;
end $$;

ALTER FUNCTION admin.known_form(form_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.known_form(form_id uuid) IS 'The organization of the form. Raises PT404 form_not_found.';

CREATE FUNCTION admin.known_organization(organization_id uuid) RETURNS app.organization_values
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization app.organization_values;
begin
  select o.* into v_organization
  from app.organization as o
  where o.organization_id = known_organization.organization_id;
  if not found then
    raise sqlstate 'PT404' using
      message = 'organization_not_found',
      hint = format(
        'There is no organization %s. To list them, run: leads organizations list', known_organization.organization_id
      );
  end if;
  return v_organization;
end $$;

ALTER FUNCTION admin.known_organization(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.known_organization(organization_id uuid) IS 'The organization. The name of an erased organization is null. Raises PT404 organization_not_found.';

CREATE TABLE crm.attempt (
    organization_id uuid NOT NULL,
    sync_id uuid NOT NULL,
    number integer NOT NULL,
    connection_revision integer NOT NULL,
    email text,
    display_name text,
    sent_at timestamp(3) with time zone,
    outcome text,
    http_status integer,
    message text,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, clock_timestamp()) NOT NULL,
    CONSTRAINT attempt_keeps_what_was_sent CHECK (((sent_at IS NULL) OR (display_name IS NOT NULL))),
    CONSTRAINT attempt_message_is_text_of_1_to_1000 CHECK (app.is_text(message, 1000)),
    CONSTRAINT attempt_number_is_positive CHECK ((number > 0)),
    CONSTRAINT attempt_outcome_is_known CHECK ((outcome = ANY (ARRAY['created'::text, 'linked'::text, 'simulated'::text, 'refused'::text, 'not_made'::text, 'settled'::text, 'dismissed'::text])))
);
ALTER TABLE ONLY crm.attempt ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY crm.attempt ALTER COLUMN sync_id SET STATISTICS 0;
ALTER TABLE ONLY crm.attempt ALTER COLUMN number SET STATISTICS 0;
ALTER TABLE ONLY crm.attempt ALTER COLUMN connection_revision SET STATISTICS 0;
ALTER TABLE ONLY crm.attempt ALTER COLUMN email SET STATISTICS 0;
ALTER TABLE ONLY crm.attempt ALTER COLUMN display_name SET STATISTICS 0;
ALTER TABLE ONLY crm.attempt ALTER COLUMN sent_at SET STATISTICS 0;
ALTER TABLE ONLY crm.attempt ALTER COLUMN outcome SET STATISTICS 0;
ALTER TABLE ONLY crm.attempt ALTER COLUMN http_status SET STATISTICS 0;
ALTER TABLE ONLY crm.attempt ALTER COLUMN message SET STATISTICS 0;
ALTER TABLE ONLY crm.attempt ALTER COLUMN created_at SET STATISTICS 0;

ALTER TABLE ONLY crm.attempt FORCE ROW LEVEL SECURITY;

ALTER TABLE crm.attempt OWNER TO leads_owner;

COMMENT ON TABLE crm.attempt IS 'The attempts of a sync. An attempt that was sent and has no outcome is open: it may have created a record.';

COMMENT ON COLUMN crm.attempt.number IS 'The value of crm.sync.attempts for this attempt.';

COMMENT ON COLUMN crm.attempt.connection_revision IS 'The connection''s revision that it uses.';

COMMENT ON COLUMN crm.attempt.email IS 'The e-mail address that was sent.';

COMMENT ON COLUMN crm.attempt.display_name IS 'The name that was sent.';

COMMENT ON COLUMN crm.attempt.sent_at IS 'Committed directly before the call that creates the record; null: no such call was made.';

COMMENT ON COLUMN crm.attempt.outcome IS 'created, linked, simulated: the sync is ok through it. refused: by the vendor. not_made: no record was created. settled: a later attempt found out whether it had created a record. dismissed: an operator decided. Null: not known yet.';

COMMENT ON COLUMN crm.attempt.http_status IS 'The status of the last answer; null: no answer.';

COMMENT ON COLUMN crm.attempt.message IS 'The vendor''s message, if it failed.';

CREATE FUNCTION crm.copies(organization_id uuid, lead_id uuid) RETURNS json
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT COALESCE(json_agg(json_build_object('vendor', s.vendor, 'account', s.account, 'status', s.status, 'external_id', s.external_id, 'may_have_made', ( SELECT COALESCE(json_agg(json_build_object('email', a.email, 'display_name', a.display_name, 'sent_at', app.utc_text(a.sent_at)) ORDER BY a.number), '[]'::json) AS "coalesce"
            FROM crm.attempt a
           WHERE ((a.organization_id = s.organization_id) AND (a.sync_id = s.id) AND (a.sent_at IS NOT NULL) AND (a.outcome IS NULL)))) ORDER BY s.created_at, s.id), '[]'::json) AS "coalesce"
    FROM crm.sync s
   WHERE ((s.organization_id = copies.organization_id) AND (s.lead_id = copies.lead_id));
END;

ALTER FUNCTION crm.copies(organization_id uuid, lead_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.copies(organization_id uuid, lead_id uuid) IS '[{"vendor", "account", "status", "external_id", "may_have_made": [{"email", "display_name", "sent_at"}]}], one for each push.

external_id: the record''s id; null: unknown. may_have_made: calls that may have created a record.';

CREATE FUNCTION admin.leads_to_erase(organization_id uuid DEFAULT NULL::uuid, lead_id uuid DEFAULT NULL::uuid, email text DEFAULT NULL::text, phone text DEFAULT NULL::text) RETURNS TABLE(organization_id uuid, lead_id uuid, name text, email text, is_deleted boolean, events bigint, copies json)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT f.lead_organization_id,
     f.id,
     l.name,
     l.email,
     (l.id IS NULL),
     ( SELECT count(*) AS count
            FROM audit.event e
           WHERE ((e.organization_id = f.lead_organization_id) AND (e.lead_id = f.id) AND (e.action <> 'lead.read'::text))) AS count,
     crm.copies(f.lead_organization_id, f.id) AS copies
    FROM (admin.find_leads_to_erase(leads_to_erase.organization_id, leads_to_erase.lead_id, leads_to_erase.email, leads_to_erase.phone) f(lead_organization_id, id)
      LEFT JOIN app.lead l ON (((l.organization_id = f.lead_organization_id) AND (l.id = f.id))))
   ORDER BY f.lead_organization_id, f.id;
END;

ALTER FUNCTION admin.leads_to_erase(organization_id uuid, lead_id uuid, email text, phone text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.leads_to_erase(organization_id uuid, lead_id uuid, email text, phone text) IS 'The lead with an id, or an organization''s leads with an e-mail address or a phone number. The case of ASCII letters, and the spelling
of a number, are ignored.

Address and number also find deleted leads, and leads that had them before; they need organization_id. name, email: null if the lead was
deleted. Raises PT422 invalid_phone. events: the number of the lead''s events in the audit log, without lead.read. copies: the result of crm.copies. Writes
the event lead.read for each lead; if there is none, one event for the organization.';

CREATE FUNCTION admin.limit_analyst(login text, connections integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_limit record;
begin
  if limit_analyst.connections not between 1 and 1000 then
    raise sqlstate 'PT422' using
      message = 'out_of_range', hint = 'The number of connections must be a whole number from 1 to 1000.';
  end if;
  execute format('alter role %I connection limit %s', limit_analyst.login, limit_analyst.connections);
  -- A session whose client is gone ends during its query, and not after it.
  begin
    execute format('alter role %I set client_connection_check_interval = ''5s''', limit_analyst.login);
  exception
    when invalid_parameter_value then null;  -- not every system can detect it
  end;
  -- Neither the analyst nor, without superuser.sql, the migrating login may change these.
  for v_limit in
    select l.name, l.value
    from (values
      -- For each session.
      ('temp_file_limit', '512MB'),
      -- The message of an error can be as long as a query makes it, and can contain a lead's
      -- fields.
      ('log_min_messages', 'fatal')
    ) as l (name, value)
    where has_parameter_privilege(l.name, 'set')
  loop
    execute format('alter role %I set %I = %L', limit_analyst.login, v_limit.name, v_limit.value);
  end loop;
end $$;

ALTER FUNCTION admin.limit_analyst(login text, connections integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.limit_analyst(login text, connections integer) IS 'Sets the number of connections of an analyst''s login, and the limits of its sessions.

admin.create_analyst and admin.alter_analyst call it. Raises PT422 out_of_range.';

CREATE FUNCTION admin.load_leads(organization_id uuid, leads jsonb) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := (admin.organization(load_leads.organization_id)).organization_id;
  v_count integer;
begin
  insert into app.lead (
    id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning, phone, reference, details, qualification_completed_at, created_at, updated_at
  )
  select
    coalesce(l.id, app.new_id()), v_organization_id, l.name, l.company, l.email, l.source, l.lead_score, l.pipeline_stage, l.industry, l.company_size,
    l.pain_points, l.timeline, l.budget_range, l.ai_reasoning, l.phone, l.reference, l.details, l.qualification_completed_at, l.created_at, l.updated_at
  from jsonb_populate_recordset(null::app.lead, load_leads.leads) as l;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

ALTER FUNCTION admin.load_leads(organization_id uuid, leads jsonb) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.load_leads(organization_id uuid, leads jsonb) IS 'Inserts leads without changing them, and returns their number. leads: a JSON array of objects with the fields of api.lead, and phone, reference and details. Raises PT404 organization_not_found, and violations of the table''s constraints.';

CREATE FUNCTION admin.load_signals(organization_id uuid, signals jsonb) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(load_signals.organization_id)).organization_id;
  v_count integer;
begin
  insert into scoring.signal (organization_id, lead_id, type, value, observed_at, dedupe_key)
  select
    v_organization_id,
    (s.signal ->> 'lead_id')::uuid,
    s.signal ->> 'type',
    coalesce(s.signal -> 'value', 'true'),
    (s.signal ->> 'observed_at')::timestamptz,
    s.signal ->> 'dedupe_key'
  from jsonb_array_elements(load_signals.signals) as s (signal)
  on conflict (organization_id, lead_id, dedupe_key) do nothing;
  get diagnostics v_count = row_count;
  -- A smaller number says that a lead already has a signal with this dedupe_key.
  if v_count < jsonb_array_length(load_signals.signals) then
    perform audit.record_read(
      v_organization_id,
      'admin.load_signals',
      array(
        select distinct (s.signal ->> 'lead_id')::uuid from jsonb_array_elements(load_signals.signals) as s (signal)
      )
    );
  end if;
  return v_count;
end $$;

ALTER FUNCTION admin.load_signals(organization_id uuid, signals jsonb) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.load_signals(organization_id uuid, signals jsonb) IS 'Inserts signals, and returns the number of new ones. signals: a JSON array of {lead_id, type, value, observed_at, dedupe_key}. Writes the event lead.read if one of them is not new. Raises PT404 organization_not_found, and violations of the table''s constraints.';

CREATE FUNCTION admin.organization(organization_id uuid) RETURNS app.organization_values
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization app.organization_values := admin.known_organization(organization.organization_id);
begin
  if v_organization.erased_at is not null then
    raise sqlstate 'PT409' using
      message = 'organization_erased',
      hint = format(
        'The organization %s was erased at %s.', organization.organization_id, app.utc_text(v_organization.erased_at)
      );
  end if;
  return v_organization;
end $$;

ALTER FUNCTION admin.organization(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.organization(organization_id uuid) IS 'The organization. Raises PT404 organization_not_found, PT409 organization_erased.';

CREATE FUNCTION admin.organizations() RETURNS TABLE(id uuid, name text, environment text, created_at text, erased_at text, country_code text, accepts_name_and_phone boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT o.organization_id,
     o.name,
     o.environment,
     app.utc_text(o.created_at) AS utc_text,
     app.utc_text(o.erased_at) AS utc_text,
     o.country_code,
     o.accepts_name_and_phone
    FROM app.organization o
   ORDER BY o.created_at, o.organization_id;
END;

ALTER FUNCTION admin.organizations() OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.organizations() IS 'All organizations, the oldest first.';

CREATE FUNCTION admin.queue_leads(batch integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- The session keeps the place, so that all batches together read the table once.
  v_block bigint := coalesce(nullif(current_setting('leads.queued_blocks', true), ''), '0');
  v_end bigint := pg_relation_size('app.lead') / current_setting('block_size')::bigint;
  v_rows bigint;
  v_queued bigint := 0;
begin
  while v_queued < queue_leads.batch and v_block < v_end loop
    insert into app.unindexed_lead (organization_id, lead_id)
    select l.organization_id, l.id
    from app.lead as l
    where
      l.ctid >= format('(%s,0)', v_block)::tid and l.ctid < format('(%s,0)', v_block + 1)::tid
      and not exists (
        select from app.lead_word as w where w.organization_id = l.organization_id and w.lead_id = l.id
      )
    on conflict do nothing;
    get diagnostics v_rows = row_count;
    v_queued := v_queued + v_rows;
    v_block := v_block + 1;
  end loop;
  perform set_config('leads.queued_blocks', case when v_queued > 0 then v_block::text else '' end, false);
  return v_queued;
end $$;

ALTER FUNCTION admin.queue_leads(batch integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.queue_leads(batch integer) IS 'Puts leads of all organizations that have no row in app.lead_word into app.unindexed_lead, and returns their number. 0: none
is left.

batch: after so many rows it ends with the page of the table that it is at.';

CREATE FUNCTION admin.remove_stage(organization_id uuid, name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := (admin.organization(remove_stage.organization_id)).organization_id;
  v_constraint text;
begin
  delete from app.pipeline_stage as s
  where s.organization_id = v_organization_id and s.name = remove_stage.name;
  if not found then
    raise sqlstate 'PT404' using
      message = 'stage_not_found',
      hint = format('The organization has no stage "%s".', remove_stage.name);
  end if;
exception
  when foreign_key_violation then
    get stacked diagnostics v_constraint = constraint_name;
    if v_constraint = 'connection_push_stage_exists' then
      raise sqlstate 'PT409' using message = 'stage_pushes', hint = format(
        'A lead that enters "%s" is pushed to the CRM. First run leads crm connect with another --push-stage.',
        remove_stage.name
      );
    end if;
    raise sqlstate 'PT409' using
      message = 'stage_has_leads',
      hint = format('The stage "%s" has leads. First move them to another stage.', remove_stage.name);
end $$;

ALTER FUNCTION admin.remove_stage(organization_id uuid, name text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.remove_stage(organization_id uuid, name text) IS 'Removes a pipeline stage. Raises PT404 organization_not_found and stage_not_found, PT409 stage_has_leads, stage_pushes and stage_new_is_needed.';

CREATE FUNCTION admin.replay_submissions(form_id uuid, submission_id uuid DEFAULT NULL::uuid, after uuid DEFAULT NULL::uuid, batch integer DEFAULT 100) RETURNS TABLE(id uuid, outcome text, lead_id uuid, faults jsonb)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_column
declare
  v_organization_id uuid := admin.known_form(replay_submissions.form_id);
  v_submission record;
  v_made record;
begin
  if
    replay_submissions.submission_id is not null
    and not exists (
      select from intake.submission as s
      where
        s.organization_id = v_organization_id and s.id = replay_submissions.submission_id
        and s.form_id = replay_submissions.form_id
        and s.outcome in ('kept', 'ignored')
    )
  then
    raise sqlstate 'PT404' using
      message = 'submission_not_found',
      hint = format(
        'The form has not kept a submission %s without a lead. To list them, run: leads forms submissions',
        replay_submissions.submission_id
      );
  end if;
  for v_submission in
    select s.id, s.content, s.faults
    from intake.submission as s
    where
      s.organization_id = v_organization_id
      and s.form_id = replay_submissions.form_id
      and s.outcome in ('kept', 'ignored')
      and (s.id = replay_submissions.submission_id or replay_submissions.submission_id is null)
      and (s.id > replay_submissions.after or replay_submissions.after is null)
      -- What may be forged or spam is sent again by its id only.
      and (
        replay_submissions.submission_id is not null
        or not s.faults @? 'strict $[*] ? (@.code == "invalid_signature" || @.code == "old_signature" || @.code == "wrong_origin" || @.code == "honeypot")'
      )
    order by s.id
    limit replay_submissions.batch
    for update
  loop
    v_made := intake.make_lead(
      v_organization_id,
      replay_submissions.form_id,
      intake.draft(v_organization_id, replay_submissions.form_id, v_submission.content)
      || case when replay_submissions.submission_id is not null then '{"is_caught": false}' else '{}' end::jsonb
    );
    update intake.submission as s
    set
      outcome = v_made.outcome,
      lead_id = v_made.lead_id,
      content = case when v_made.faults <> '[]' or v_made.lead_id is null then s.content end,
      faults = case when v_made.lead_id is null and v_made.faults = '[]' then s.faults else nullif(v_made.faults, '[]') end
    where s.organization_id = v_organization_id and s.id = v_submission.id;
    return query select v_submission.id, v_made.outcome, v_made.lead_id, v_made.faults;
  end loop;
end $_$;

ALTER FUNCTION admin.replay_submissions(form_id uuid, submission_id uuid, after uuid, batch integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.replay_submissions(form_id uuid, submission_id uuid, after uuid, batch integer) IS 'Tries again to make leads of kept submissions, the oldest first, and at most batch. Returns a row for each.

submission_id: only this one; null: all of the form, except those with a wrong signature or origin and those that the honeypot
has caught. after: the id of the last one of the previous batch. Raises PT404 form_not_found and
submission_not_found.';

CREATE FUNCTION admin.retry_crm(organization_id uuid, lead_id uuid DEFAULT NULL::uuid, external_id text DEFAULT NULL::text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := (admin.organization(retry_crm.organization_id)).organization_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_ids uuid[];
begin
  if retry_crm.external_id is not null and retry_crm.lead_id is null then
    raise sqlstate 'PT422' using
      message = 'lead_needed', hint = 'A record belongs to one lead, so the lead''s id is required.';
  end if;
  if retry_crm.external_id is not null and app.is_text(retry_crm.external_id, 255) is not true then
    raise sqlstate 'PT422' using
      message = 'invalid_external_id', hint = 'The record''s id must have 1 to 255 characters.';
  end if;
  -- A push with an unknown outcome is retried for one lead at a time: a person must check the CRM.
  with failed as (
    select s.id
    from crm.sync as s
    join crm.connection as c
      on c.organization_id = s.organization_id and c.vendor = s.vendor and c.account = s.account
    where
      s.organization_id = v_organization_id
      and (s.status in ('failed', 'skipped') or (s.status = 'pending' and retry_crm.external_id is not null))
      and case
        when retry_crm.lead_id is null then s.error_code <> 'outcome_unknown'
        else s.lead_id = retry_crm.lead_id
      end
    order by s.id
    for no key update of s
  )
  select array_agg(f.id) into v_ids from failed as f;
  if v_ids is null then
    raise sqlstate 'PT404' using message = 'push_not_found', hint = case
      when retry_crm.lead_id is null then
        'The organization''s connection has no failed or skipped push that can be retried. A push with outcome_unknown is '
        'retried for one lead at a time.'
      else
        'The organization''s connection has no failed or skipped push of this lead. To list the pushes, run: leads crm queue'
    end;
  end if;

  update crm.attempt as a
  set outcome = 'dismissed'
  where a.organization_id = v_organization_id and a.sync_id = any (v_ids) and a.outcome is null;
  update crm.sync as s
  set
    status = case when retry_crm.external_id is null then 'pending' else 'ok' end,
    external_id = retry_crm.external_id,
    last_synced_at = case when retry_crm.external_id is not null then v_now end,
    run_at = case when retry_crm.external_id is null then v_now end,
    error_code = null,
    error = null,
    begun_at = v_now,
    begun_after = s.attempts
  where s.organization_id = v_organization_id and s.id = any (v_ids);
  call app.notify('leads_crm');
  return cardinality(v_ids);
end $$;

ALTER FUNCTION admin.retry_crm(organization_id uuid, lead_id uuid, external_id text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.retry_crm(organization_id uuid, lead_id uuid, external_id text) IS 'Starts failed and skipped pushes again, and returns their number.

lead_id: null for all pushes of the organization''s connection except those with outcome_unknown. With a lead''s id, a push with
outcome_unknown starts again, too: the caller has checked that the CRM has no record of the lead. external_id: the id of the
lead''s record, which the caller has found in the CRM. The lead is linked to it, and nothing is sent. Raises PT404
organization_not_found and push_not_found, PT422 invalid_external_id and lead_needed.';

CREATE FUNCTION admin.revoke_analyst(login text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_is_ours boolean := exists (
    select
    from pg_catalog.pg_roles as r
    where
      r.rolname = revoke_analyst.login
      -- A login that can do more than read isn't an analyst's login (admin.disable_analyst).
      and not r.rolsuper and not r.rolcreaterole
      and exists (
        select
        from pg_catalog.pg_auth_members as m
        where m.member = r.oid and m.roleid = 'leads_bi'::regrole
      )
  );
begin
  if not v_is_ours and not exists (select from admin.analysts() as a where a.login = revoke_analyst.login) then
    raise sqlstate 'PT404' using message = 'analyst_not_found', hint = format(
      'There is no analyst "%s". To list them, run: leads bi list', revoke_analyst.login
    );
  end if;
  perform admin.unbind_analyst(revoke_analyst.login);
end $$;

ALTER FUNCTION admin.revoke_analyst(login text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.revoke_analyst(login text) IS 'Unbinds an analyst''s login from its organization. After the commit its sessions see no row.

No lock of the analyst can delay it, because it doesn''t change the role: admin.disable_analyst does in a separate transaction.
Only the migrating login can execute it. Raises PT404 analyst_not_found.';

CREATE FUNCTION admin.revoke_form(form_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := admin.known_form(revoke_form.form_id);
begin
  update auth.api_key as k
  set revoked_at = date_trunc('milliseconds', now())
  from intake.form as f
  where
    f.organization_id = v_organization_id and f.id = revoke_form.form_id
    and k.organization_id = v_organization_id and k.id = f.key_id
    and k.revoked_at is null;
  if not found then
    raise sqlstate 'PT409' using
      message = 'form_revoked_already', hint = format('The form %s is revoked already.', revoke_form.form_id);
  end if;
end $$;

ALTER FUNCTION admin.revoke_form(form_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.revoke_form(form_id uuid) IS 'Revokes the token of the form. Its submissions stay. Raises PT404 form_not_found, PT409 form_revoked_already.';

CREATE FUNCTION admin.revoke_key(id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := (admin.good_key(revoke_key.id)).organization_id;
begin
  update auth.api_key as k
  set revoked_at = date_trunc('milliseconds', now())
  where k.organization_id = v_organization_id and k.id = revoke_key.id;
end $$;

ALTER FUNCTION admin.revoke_key(id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.revoke_key(id uuid) IS 'Revokes a key. Raises PT404 key_not_found, PT409 key_not_good.';

CREATE FUNCTION admin.rotate_key(id uuid, digest bytea, overlap interval DEFAULT '24:00:00'::interval) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_old record;
  v_id uuid := app.new_id();
  v_new_id uuid;
begin
  if rotate_key.overlap < interval '0' then
    raise sqlstate 'PT422' using message = 'invalid_overlap', hint = 'The overlap can''t be negative.';
  end if;
  v_old := admin.good_key(rotate_key.id);
  if v_old.scopes = '{form}' then
    raise sqlstate 'PT409' using
      message = 'key_of_form',
      hint = format('The key %s is the token of a form. Create another form: leads forms create', rotate_key.id);
  end if;
  -- A second rotation would copy the end of the overlap, which is stored as the key's expiry.
  select k.id into v_new_id
  from auth.api_key as k
  where k.organization_id = v_old.organization_id and k.rotated_from = rotate_key.id;
  if found then
    raise sqlstate 'PT409' using
      message = 'key_rotated_already',
      hint = format('The key %s was already rotated. Rotate its successor: %s.', rotate_key.id, v_new_id);
  end if;
  -- A key that expires before the overlap ends keeps its expiry.
  update auth.api_key as k
  set expires_at = least(k.expires_at, date_trunc('milliseconds', now() + rotate_key.overlap))
  where k.organization_id = v_old.organization_id and k.id = rotate_key.id;

  insert into auth.api_key (organization_id, id, name, scopes, digest, expires_at, rotated_from)
  values (v_old.organization_id, v_id, v_old.name, v_old.scopes, rotate_key.digest, v_old.expires_at, rotate_key.id);
  return v_id;
end $$;

ALTER FUNCTION admin.rotate_key(id uuid, digest bytea, overlap interval) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.rotate_key(id uuid, digest bytea, overlap interval) IS 'Creates a key with the name, scopes and expiry of an existing one, and returns the new key''s id.

The existing key is valid until the overlap ends. digest: SHA-256 of the SHA-256 of the new key. Raises PT404 key_not_found,
PT409 key_not_good, key_of_form and key_rotated_already, PT422 invalid_overlap.';

CREATE FUNCTION admin.scoring_models(organization_id uuid) RETURNS TABLE(model text, version integer, state text, document json, created_at text, activated_at text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform admin.organization(scoring_models.organization_id);
  return query
  select 'own', m.version, m.state, m.document::json, app.utc_text(m.created_at), app.utc_text(m.activated_at)
  from scoring.model as m
  where m.organization_id = scoring_models.organization_id
  union all
  select
    'default', d.version,
    case
      when d.version < max(d.version) over () then 'retired'
      when f.model = 'default' then 'active'
      else 'unused'
    end,
    d.document::json, null, null
  from scoring.default_model as d
  cross join scoring.model_in_force(scoring_models.organization_id) as f
  order by 1 desc, 2 desc;
end $$;

ALTER FUNCTION admin.scoring_models(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.scoring_models(organization_id uuid) IS 'The organization''s scoring models, the newest first, and then the default models. Raises PT404 organization_not_found.

state: "draft", "active" or "retired". The newest default model is "unused" while the organization has an active model.';

CREATE FUNCTION admin.seal_events(after uuid DEFAULT NULL::uuid, batch integer DEFAULT 1000) RETURNS TABLE(organization_id uuid, sealed integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_sort TO 'off'
    AS $$
declare
  -- A value in place of null, because a plan that handles both scans the queue from its beginning.
  v_organization_id uuid := coalesce(seal_events.after, '00000000-0000-0000-0000-000000000000');
  v_event audit.event;
  v_seal audit.seal;
  v_seals audit.seal[] := '{}';
  v_lead_ids uuid[] := '{}';
begin
  loop
    v_organization_id := (
      select u.organization_id
      from audit.unsealed as u
      where u.organization_id > v_organization_id
      order by u.organization_id
      limit 1
    );
    if v_organization_id is null then
      return;
    end if;
    -- One sealer at a time works for an organization; a second sealer takes another organization.
    -- Sessions that write events don't wait: the lock of a foreign key check doesn't conflict.
    perform from app.organization as o where o.organization_id = v_organization_id for no key update skip locked;
    exit when found;
  end loop;

  select s.position, s.hash, s.sealed_at
  into v_seal.position, v_seal.hash, v_seal.sealed_at
  from audit.seal as s
  where s.organization_id = v_organization_id
  order by s.position desc
  limit 1;
  v_seal.position := coalesce(v_seal.position, 0);
  v_seal.hash := coalesce(v_seal.hash, sha256(uuid_send(v_organization_id)));

  -- An event that was put into the queue again has a seal, and would make every later insert fail.
  -- Only the first events are looked up, each by its key: the queue and the chain may be long.
  delete from audit.unsealed as u
  where u.organization_id = v_organization_id and u.event_id = any (array(
    select q.event_id
    from (
      select f.event_id from audit.unsealed as f where f.organization_id = v_organization_id order by f.event_id
      limit seal_events.batch
    ) as q
    where exists (
      select from audit.seal as s
      where s.organization_id = v_organization_id and s.event_id = q.event_id and s.created_at = app.id_time(q.event_id)
      offset 0
    )
  ));
  for v_event in
    select e.*
    from audit.unsealed as u
    -- An event that was removed before its seal stays in the queue, where leads doctor finds it.
    -- OFFSET prevents a merge join, which would read all events of the organization.
    cross join lateral (
      select e.* from audit.event as e
      where e.organization_id = v_organization_id and e.id = u.event_id and e.created_at = app.id_time(u.event_id)
      offset 0
    ) as e
    where u.organization_id = v_organization_id
    order by u.event_id
    limit seal_events.batch
  loop
    v_seal.position := v_seal.position + 1;
    v_seal.event_id := v_event.id;
    v_seal.event_hash := audit.event_hash(
      v_seal.position, v_event.id, v_event.organization_id, v_event.action, v_event.source, v_event.correlation_id,
      v_event.lead_id, v_event.payload_digest, v_event.created_at
    );
    v_seal.hash := sha256(v_seal.hash || v_seal.event_hash);
    v_seal.created_at := v_event.created_at;
    v_seals := v_seals || v_seal;
    if
      v_event.action = 'lead.created'
      or (
        v_event.action = 'lead.updated'
        and coalesce(
          v_event.payload -> 'diff' -> 'name', v_event.payload -> 'diff' -> 'company', v_event.payload -> 'diff' -> 'email'
        ) is not null
      )
    then
      v_lead_ids := v_lead_ids || v_event.lead_id;
    end if;
  end loop;
  -- After the events were read, because one of them may have been committed a moment ago: no event has a time after
  -- its seal. The clock can be set back, and audit.position_before needs the times in the order of the positions.
  v_seal.sealed_at := greatest(date_trunc('milliseconds', clock_timestamp()), v_seal.sealed_at);
  insert into audit.seal (organization_id, position, event_id, event_hash, hash, created_at, sealed_at)
  select v_organization_id, n.position, n.event_id, n.event_hash, n.hash, n.created_at, v_seal.sealed_at
  from unnest(v_seals) as n;
  delete from audit.unsealed as u
  where u.organization_id = v_organization_id and u.event_id = any (array(select n.event_id from unnest(v_seals) as n));
  -- In this transaction, so that a search finds a lead by its event or in this queue at any time.
  insert into app.unindexed_lead (organization_id, lead_id)
  select distinct v_organization_id, u.id from unnest(v_lead_ids) as u (id)
  on conflict do nothing;
  return query select v_organization_id, cardinality(v_seals);
end $$;

ALTER FUNCTION admin.seal_events(after uuid, batch integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.seal_events(after uuid, batch integer) IS 'Seals up to batch new events of one organization, the oldest first.

It takes the first organization with an id greater than "after" that has unsealed events; null: the first of all.
Returns no row if there is no such organization. sealed: the number of events; if it is less than batch, no committed event
of the organization is left. Leads whose words may have changed are put into app.unindexed_lead. Several workers may call it at the same time.';

CREATE FUNCTION admin.set_form(form_id uuid, settings jsonb) RETURNS SETOF api.form
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := admin.known_form(set_form.form_id);
  v_settings jsonb := set_form.settings;
begin
  if v_settings ? 'secret' then
    raise sqlstate 'PT422' using
      message = 'secret_is_fixed',
      hint = 'The secret is encrypted with the token, which is not stored. Create another form.';
  end if;
  if v_settings ? 'preset' and exists (
    select
    from intake.form as f
    where
      f.organization_id = v_organization_id and f.id = set_form.form_id and f.credential is not null
      and f.preset is distinct from v_settings ->> 'preset'
  ) then
    raise sqlstate 'PT422' using
      message = 'preset_is_fixed',
      hint = 'The form has the secret of its sender, which another preset would not check. Create another form.';
  end if;
  perform app.raise_faults(422, 'validation_failed', intake.form_faults(v_organization_id, v_settings));
  update intake.form as f
  set
    name = case when v_settings ? 'name' then app.clean_text(v_settings ->> 'name') else f.name end,
    preset = case when v_settings ? 'preset' then v_settings ->> 'preset' else f.preset end,
    source = coalesce(v_settings ->> 'source', f.source),
    mapping = coalesce(nullif(v_settings -> 'mapping', 'null'), f.mapping),
    constants = coalesce(nullif(v_settings -> 'constants', 'null'), f.constants),
    origins = case
      when jsonb_typeof(v_settings -> 'origins') = 'array'
        then array(select o.origin from jsonb_array_elements_text(v_settings -> 'origins') as o (origin))
      else f.origins
    end,
    honeypot = case when v_settings ? 'honeypot' then v_settings ->> 'honeypot' else f.honeypot end,
    redirect_url = case when v_settings ? 'redirect_url' then v_settings ->> 'redirect_url' else f.redirect_url end,
    on_duplicate = coalesce(v_settings ->> 'on_duplicate', f.on_duplicate),
    duplicate_hours = coalesce((v_settings ->> 'duplicate_hours')::numeric::integer, f.duplicate_hours),
    requests_per_minute = coalesce((v_settings ->> 'requests_per_minute')::numeric::integer, f.requests_per_minute)
  where f.organization_id = v_organization_id and f.id = set_form.form_id;
  return query select (intake.form_item(v_organization_id, set_form.form_id, null)).*;
end $$;

ALTER FUNCTION admin.set_form(form_id uuid, settings jsonb) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.set_form(form_id uuid, settings jsonb) IS 'Changes the settings of a form, and returns it.

settings: a JSON object (api.form_input). A setting that is left out stays. null removes name, preset, honeypot and
redirect_url. Raises PT404 form_not_found, PT422 secret_is_fixed, preset_is_fixed and validation_failed.';

CREATE FUNCTION admin.set_organization(organization_id uuid, accepts_name_and_phone boolean DEFAULT NULL::boolean, country_code text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(set_organization.organization_id)).organization_id;
begin
  if set_organization.country_code !~ '^([1-9][0-9]{0,2})?$' then
    raise sqlstate 'PT422' using
      message = 'invalid_country_code',
      hint = 'The country code must be 1 to 3 digits without +, such as 1 or 44, or empty.';
  end if;
  update app.organization as o
  set
    accepts_name_and_phone = coalesce(set_organization.accepts_name_and_phone, o.accepts_name_and_phone),
    country_code = nullif(coalesce(set_organization.country_code, o.country_code), '')
  where o.organization_id = v_organization_id;
end $_$;

ALTER FUNCTION admin.set_organization(organization_id uuid, accepts_name_and_phone boolean, country_code text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.set_organization(organization_id uuid, accepts_name_and_phone boolean, country_code text) IS 'Changes the settings of an organization. Null keeps a setting.

accepts_name_and_phone: whether a lead may have a name and a phone number as its only contact data. Leads that have no other keep
it if this is switched off. country_code: the calling code of phone numbers without one, 1 to 3 digits; empty: none. It applies to
the phone numbers that are written later; then call admin.fill_phone_keys for the others. Raises PT404 organization_not_found, PT409 organization_erased, PT422
invalid_country_code.';

CREATE FUNCTION admin.signal_analyst(login text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  -- The creator of the role only has ADMIN OPTION on it. To end its sessions, the creator needs the
  -- role's privileges.
  execute format('grant %I to %I', signal_analyst.login, current_user);
  perform pg_terminate_backend(a.pid)
  from pg_catalog.pg_stat_activity as a
  where a.usename = signal_analyst.login;
  execute format('revoke %I from %I', signal_analyst.login, current_user);
end $$;

ALTER FUNCTION admin.signal_analyst(login text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.signal_analyst(login text) IS 'Tells the sessions of an analyst''s login to end. Only the migrating login can execute it.

The caller then alters the role at once. It waits for the lock of a session that ends, before a new session can. Raises 55P03
after 2 seconds.';

CREATE FUNCTION admin.stages(organization_id uuid) RETURNS TABLE("position" integer, name text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform admin.organization(stages.organization_id);
  return query
  select s.position, s.name
  from app.pipeline_stage as s
  where s.organization_id = stages.organization_id
  order by s.position, s.name;
end $$;

ALTER FUNCTION admin.stages(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.stages(organization_id uuid) IS 'The organization''s pipeline stages in their order. Raises PT404 organization_not_found.';

CREATE FUNCTION admin.try_scoring_model(organization_id uuid, lead_id uuid, instant timestamp with time zone DEFAULT NULL::timestamp with time zone, document jsonb DEFAULT NULL::jsonb) RETURNS TABLE(lead_score integer, ai_reasoning text, base numeric, contributions json, model text, model_version integer, scored_at text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(try_scoring_model.organization_id)).organization_id;
  v_instant timestamptz := date_trunc('milliseconds', coalesce(try_scoring_model.instant, now()));
  v_model record;
begin
  if try_scoring_model.document is not null then
    perform admin.check_scoring_model(try_scoring_model.document);
  end if;
  select
    case when try_scoring_model.document is null then f.model end as model,
    case when try_scoring_model.document is null then f.model_version end as version,
    coalesce(try_scoring_model.document, f.document) as document
  into v_model
  from scoring.model_in_force(v_organization_id) as f;

  perform audit.record_read(
    v_organization_id, 'admin.try_scoring_model', array[try_scoring_model.lead_id]
  );
  return query
  select
    r.lead_score, r.ai_reasoning, (v_model.document ->> 'base')::numeric, r.contributions, v_model.model,
    v_model.version, app.utc_text(v_instant)
  from scoring.compute_scores(
    v_organization_id, array[try_scoring_model.lead_id], array[v_instant], v_model.document,
    try_scoring_model.instant is null
  ) as r;
  if not found then
    raise sqlstate 'PT404' using
      message = 'lead_not_found',
      hint = format('The organization has no lead %s.', try_scoring_model.lead_id);
  end if;
end $$;

ALTER FUNCTION admin.try_scoring_model(organization_id uuid, lead_id uuid, instant timestamp with time zone, document jsonb) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.try_scoring_model(organization_id uuid, lead_id uuid, instant timestamp with time zone, document jsonb) IS 'The score that a scoring model gives a lead. Stores no score.

instant: null for now; otherwise only signals that were observed until then count. document: the model; null for the model in
force. model, model_version: null if document has a value. Writes the event lead.read. Raises PT404 organization_not_found and lead_not_found, PT422
invalid_model.';

CREATE FUNCTION admin.unbind_analyst(login text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  delete from auth.analyst as a where a.role_name = unbind_analyst.login;
end $$;

ALTER FUNCTION admin.unbind_analyst(login text) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.unbind_analyst(login text) IS 'Unbinds a login from its organization. It then sees no row. Only admin.revoke_analyst calls it: no login may execute it.';

CREATE FUNCTION admin.verify_chain(organization_id uuid, after bigint DEFAULT 0, "limit" api.seal_count DEFAULT 1000, kept_head api.chain_head DEFAULT NULL::text) RETURNS TABLE(holds boolean, verified_to bigint, next_after text, head text, unsealed bigint, code text, "position" bigint, event_id uuid, detail text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- This accepts an erased organization: its log is kept.
  perform admin.known_organization(verify_chain.organization_id);
  return query
  select
    v.holds, v.verified_to, v.next_after, v.head, v.unsealed,
    (v.fault).code, (v.fault)."position", (v.fault).event_id, (v.fault).detail
  from audit.chain_verdict(
    verify_chain.organization_id, verify_chain.after, verify_chain.limit, verify_chain.kept_head
  ) as v;
end $$;

ALTER FUNCTION admin.verify_chain(organization_id uuid, after bigint, "limit" api.seal_count, kept_head api.chain_head) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.verify_chain(organization_id uuid, after bigint, "limit" api.seal_count, kept_head api.chain_head) IS 'Verifies a part of an organization''s chain: audit.chain_verdict, with the fault''s fields in the same row.

after, "limit", kept_head: see audit.chain_verdict. Raises PT404 organization_not_found.';

CREATE FUNCTION api.create_form(body text) RETURNS api.answer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_form record;
begin
  v_form := intake.create_form(v_organization_id, app.read_object(create_form.body));
  -- Another statement, which sees the row.
  return row(201, null::json, row_to_json(intake.form_item(v_organization_id, v_form.form_id, v_form.token))::text);
end $$;

ALTER FUNCTION api.create_form(body text) OWNER TO leads_exec;

COMMENT ON FUNCTION api.create_form(body text) IS 'Create a form.

A form is an address, with a token in it, to which anything can post leads: a web page, an automation tool, or a service that
has a preset. address is the path of that address on this server. It is shown once, so keep it. mapping says where values
go: {"fields.budget": "budget_range", "Roof age": "details.roof_age", "utm_*": "ignore"}. constants are values that each lead
has. A value without a place goes into the details.';

CREATE FUNCTION api.create_lead(body text, idempotency_key api.idempotency_key DEFAULT NULL::text, idempotency_wait integer DEFAULT 5000) RETURNS api.answer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  v_fields jsonb := app.read_object(create_lead.body);
  v_answer api.answer := case when create_lead.idempotency_key is not null then app.claim_idempotency_key(
    v_organization_id, create_lead.idempotency_key, create_lead.idempotency_wait,
    'POST /leads' || chr(10) || create_lead.body
  ) end;
  v_faults json;
  v_lead app.lead_values;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  v_lead := app.plain_lead(v_organization_id, v_fields, true);
  if v_lead is null then
    v_faults := app.lead_faults(v_organization_id, v_fields);
  end if;
  if
    coalesce(v_fields -> 'email', 'null') = 'null'
    and (coalesce(v_fields -> 'name', 'null') = 'null' or coalesce(v_fields -> 'company', 'null') = 'null')
  then
    v_faults := (
      select json_agg(f.fault)
      from (
        select json_array_elements(v_faults) as fault
        union all
        select json_array_elements(app.contact_fault(
          v_organization_id,
          coalesce(v_fields -> 'name', 'null') <> 'null' and coalesce(v_fields -> 'phone', 'null') <> 'null',
          false
        ))
      ) as f
    );
  end if;
  if v_faults is not null then
    perform app.raise_faults(422, 'validation_failed', v_faults);
  end if;

  if v_lead is null then
    v_lead := app.lead_from(v_fields, null);
    perform app.raise_faults(422, 'validation_failed', app.details_size_faults(v_lead.details));
  end if;
  insert into app.lead (
    organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning, phone, reference, details
  )
  values (
    v_organization_id, v_lead.name, v_lead.company, v_lead.email, v_lead.source, coalesce(v_lead.lead_score, 0),
    coalesce(v_lead.pipeline_stage, 'new'), v_lead.industry, v_lead.company_size, v_lead.pain_points, v_lead.timeline,
    v_lead.budget_range, v_lead.ai_reasoning, v_lead.phone, v_lead.reference, v_lead.details
  )
  returning * into v_lead;
  perform crm.wake_worker(v_lead.organization_id, v_lead.id);

  v_answer := row(
    201,
    json_build_object('Location', '/api/v1/leads/' || v_lead.id, 'ETag', app.lead_etag(v_lead.revision)),
    coalesce(v_lead.item, app.computed_lead_item(v_lead))
  );
  if create_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, create_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

ALTER FUNCTION api.create_lead(body text, idempotency_key api.idempotency_key, idempotency_wait integer) OWNER TO leads_exec;

COMMENT ON FUNCTION api.create_lead(body text, idempotency_key api.idempotency_key, idempotency_wait integer) IS 'Create a lead.

A lead needs an email, or a name and a company. The default of lead_score is 0, that of pipeline_stage is "new". White
space and invisible characters at the ends of a text are removed. Two leads can have the same address: the API does not
merge them. If the organization accepts it, a name and a phone also suffice. reference is your own id of the lead: a second
lead with it is an error (409). The response has the 12 fields that a list shows; GET /leads/{id}/details shows phone,
reference and details.';

CREATE FUNCTION api.create_signals(id uuid, body text, idempotency_key api.idempotency_key DEFAULT NULL::text, idempotency_wait integer DEFAULT 5000) RETURNS api.answer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
      scoring.clean_value(coalesce(s.signal -> 'value', 'true')) as value,
      date_trunc('milliseconds', coalesce(app.read_instant(s.signal ->> 'observed_at'), now())) as observed_at,
      app.clean_text(s.signal ->> 'dedupe_key') as dedupe_key
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
        and i.dedupe_key = app.clean_text(s.signal ->> 'dedupe_key')
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

ALTER FUNCTION api.create_signals(id uuid, body text, idempotency_key api.idempotency_key, idempotency_wait integer) OWNER TO leads_exec;

COMMENT ON FUNCTION api.create_signals(id uuid, body text, idempotency_key api.idempotency_key, idempotency_wait integer) IS 'Add signals to a lead.

The body is a signal, or {"signals": […]} with up to 200 signals. Either all are added, or none. type is a machine name.
value is true, false, null, a number, a text, or a flat object of these; the default is true. A blank text is refused,
and the text "false" counts like any other text: send false without quotation marks. White space and invisible
characters at the ends of a text are removed. The default of observed_at is now, and it can be in the past. If the lead already has a signal with the same dedupe_key, nothing is added, and the
response has that first signal. Only the latest signal of each type counts for the score (by observed_at, then id);
false and null do not count. If the organization''s scoring model says so and uses such a signal, the lead is scored
again at once.';

CREATE FUNCTION api.default_text(function oid, "position" integer) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_expression text := pg_catalog.pg_get_function_arg_default(default_text.function, default_text.position);
  v_value text;
begin
  if v_expression is not null then
    execute format('select (%s)::text', v_expression) into v_value;
  end if;
  return v_value;
end $$;

ALTER FUNCTION api.default_text(function oid, "position" integer) OWNER TO leads_exec;

COMMENT ON FUNCTION api.default_text(function oid, "position" integer) IS 'The default of the argument at a position (from 1), as text. Null if the argument has no default.';

CREATE FUNCTION api.delete_lead(id uuid) RETURNS api.answer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_erasure record;
begin
  -- Under the policies, which the erasing function does not have.
  if
    not exists (select from app.lead as l where l.organization_id = v_organization_id and l.id = delete_lead.id)
    and not exists (
      select from audit.event as e where e.organization_id = v_organization_id and e.lead_id = delete_lead.id
    )
  then
    return null;
  end if;
  select e.* into v_erasure from audit.erase_own_lead(delete_lead.id) as e;
  if v_erasure.wait_seconds > 0 then
    return row(
      202,
      json_build_object('Retry-After', least(ceil(v_erasure.wait_seconds), 60)::text),
      row_to_json(row(delete_lead.id, 'waiting', '{}')::api.lead_erasure)::text
    );
  elsif v_erasure.rows_gone = 0 and v_erasure.events = 0 then
    return null;
  end if;
  return row(
    200,
    null::json,
    row_to_json(row(
      delete_lead.id,
      'erased',
      array(
        select row(
          c.vendor, c.account, c.status, c.external_id,
          array(
            select row(s.email, s.display_name, s.sent_at)::api.sent_contact
            from json_to_recordset(c.may_have_made) as s (email text, display_name text, sent_at text)
          )
        )::api.lead_copy
        from json_to_recordset(v_erasure.copies) as c (
          vendor text, account text, status text, external_id text, may_have_made json
        )
        -- The other pushes have not created a record.
        where c.external_id is not null or json_array_length(c.may_have_made) > 0
      )
    )::api.lead_erasure)::text
  );
end $$;

ALTER FUNCTION api.delete_lead(id uuid) OWNER TO leads_exec;

COMMENT ON FUNCTION api.delete_lead(id uuid) IS 'Erase a lead.

This cannot be undone. It deletes the lead with its signals, scores and pushes, replaces its values in the audit log by
{"erased": true}, and empties the stored responses of Idempotency-Keys. The audit log records lead.erased. copies lists
the records in CRMs: erase them there. It is in this response only, so keep it; GET /leads/{id}/everything shows the
pushes before the erasure. 202 means that nothing was erased, because a push to the CRM is in progress:
repeat the request after the seconds in Retry-After. If the lead was erased before, the response is 404.';

CREATE FUNCTION api.export_audit_events(format api.export_format DEFAULT 'ndjson'::text, cursor api.export_cursor DEFAULT NULL::text, action api.any_of DEFAULT NULL::text[], source api.any_of DEFAULT NULL::text[], lead_id uuid DEFAULT NULL::uuid, start_at timestamp with time zone DEFAULT NULL::timestamp with time zone, end_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_page record := audit.event_export(
    auth.entered_organization_id(), export_audit_events.format, export_audit_events.cursor, export_audit_events.action,
    export_audit_events.source, export_audit_events.lead_id, export_audit_events.start_at, export_audit_events.end_at
  );
begin
  return row(
    200, app.export_headers('audit-log', export_audit_events.format, v_page.next_cursor), v_page.body
  )::api.answer;
end $$;

ALTER FUNCTION api.export_audit_events(format api.export_format, cursor api.export_cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) OWNER TO leads_exec;

COMMENT ON FUNCTION api.export_audit_events(format api.export_format, cursor api.export_cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) IS 'Export the audit log, newest first.

All events that match the filters, as NDJSON or CSV. The filters, and the fields of each line, are those of the list. payload is a JSON
object. The last line says that the export is complete, and the rules of the export of leads apply.';

CREATE FUNCTION api.export_leads(format api.export_format DEFAULT 'ndjson'::text, cursor api.export_cursor DEFAULT NULL::text, pipeline_stage api.any_of DEFAULT NULL::text[], source api.any_of DEFAULT NULL::text[], email api.any_of DEFAULT NULL::text[], start_at timestamp with time zone DEFAULT NULL::timestamp with time zone, end_at timestamp with time zone DEFAULT NULL::timestamp with time zone, phone text DEFAULT NULL::text, reference text DEFAULT NULL::text) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_page record := app.lead_export(
    auth.entered_organization_id(), export_leads.format, export_leads.cursor, export_leads.pipeline_stage,
    export_leads.source, export_leads.email, export_leads.phone, export_leads.reference, export_leads.start_at,
    export_leads.end_at
  );
begin
  return row(200, app.export_headers('leads', export_leads.format, v_page.next_cursor), v_page.body)::api.answer;
end $$;

ALTER FUNCTION api.export_leads(format api.export_format, cursor api.export_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, start_at timestamp with time zone, end_at timestamp with time zone, phone text, reference text) OWNER TO leads_exec;

COMMENT ON FUNCTION api.export_leads(format api.export_format, cursor api.export_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, start_at timestamp with time zone, end_at timestamp with time zone, phone text, reference text) IS 'Export leads, newest first.

All leads that match the filters, as NDJSON or CSV. The filters are those of the list. Each line has all fields of the lead,
and its phone, reference and details.

The last line says that the export is complete: {"complete":true,"rows":2} in NDJSON, and a record that begins with
"# complete,2" in CSV. If that line is missing, the export was cut off: repeat it.

The export is a walk through pages, and not a snapshot. It has every lead that existed when it began exactly once, each as it is when its
page is read. A lead that is erased meanwhile can be missing, and a lead that is created meanwhile can be in it.

CSV is as in RFC 4180: UTF-8, CRLF, a header line. details is a JSON object. A text that begins with = + - @, a tab or a line
break gets an apostrophe before it, because a spreadsheet would run it as a formula. That includes a phone such as
+15550100. NDJSON has the texts unchanged.';

CREATE FUNCTION api.expression(definition text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT replace((regexp_match(definition, '~ ''((?:[^'']|'''')+)'''::text))[1], ''''''::text, ''''::text) AS replace;
END;

ALTER FUNCTION api.expression(definition text) OWNER TO leads_exec;

COMMENT ON FUNCTION api.expression(definition text) IS 'The first regular expression in the definition of a constraint or the source of a function. Null if there is none.';

CREATE FUNCTION audit.event_etag(payload_digest bytea, salt bytea) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ((((('"'::text || encode(substr(payload_digest, 1, 8), 'hex'::text)) ||
         CASE
             WHEN (salt IS NULL) THEN 'e'::text
             ELSE ''::text
         END) || '.'::text) || api.schema_version()) || '"'::text);
END;

ALTER FUNCTION audit.event_etag(payload_digest bytea, salt bytea) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.event_etag(payload_digest bytea, salt bytea) IS 'A strong entity tag (RFC 9110, section 8.8.3). It changes when the event''s values are erased.';

CREATE FUNCTION audit.event_item(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) RETURNS api.audit_event
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ROW(id, organization_id, action, source, correlation_id, payload, (app.utc_text(created_at))::api.utc_time)::api.audit_event AS "row";
END;

ALTER FUNCTION audit.event_item(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.event_item(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) IS 'The seven fields of an event, in the order of the body.';

CREATE FUNCTION auth.entered_organization_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (NULLIF(current_setting('leads.organization_id'::text, true), ''::text))::uuid AS "nullif";
END;

ALTER FUNCTION auth.entered_organization_id() OWNER TO leads_auth;

COMMENT ON FUNCTION auth.entered_organization_id() IS 'The organization of the key that auth.enter has checked in this transaction; null if there is none.

Anyone with SQL can change this setting, so it proves nothing. It is for queries whose tables have policies for leads_exec,
which look up the key. It reads no table.';

CREATE FUNCTION api.get_audit_event(id uuid) RETURNS api.answer
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT ROW(200, json_build_object('ETag', audit.event_etag(e.payload_digest, e.salt)), (row_to_json(audit.event_item(e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at)))::text)::api.answer AS "row"
    FROM audit.event e
   WHERE ((e.organization_id = ( SELECT auth.entered_organization_id() AS entered_organization_id)) AND (e.id = get_audit_event.id) AND (e.created_at = app.id_time(get_audit_event.id)));
END;

ALTER FUNCTION api.get_audit_event(id uuid) OWNER TO leads_exec;

COMMENT ON FUNCTION api.get_audit_event(id uuid) IS 'Get an event of the audit log.

An event of another organization returns 404, as if it did not exist.';

CREATE VIEW auth.claimed_key WITH (security_invoker='false') AS
 SELECT organization_id,
    id,
    scopes
   FROM auth.api_key k
  WHERE ((digest = ( SELECT sha256(decode(NULLIF(current_setting('leads.key_digest'::text, true), ''::text), 'hex'::text)) AS sha256
          WHERE (current_setting('transaction_isolation'::text) = 'read committed'::text))) AND (revoked_at IS NULL) AND ((expires_at IS NULL) OR (expires_at > clock_timestamp())));

ALTER VIEW auth.claimed_key OWNER TO leads_auth;

COMMENT ON VIEW auth.claimed_key IS 'The key that the claim of this transaction proves.

The claim is the setting leads.key_digest: the SHA-256 of the key as hexadecimal digits, which only the holder of the key can
compute. The table stores the SHA-256 of the claim, so a value that is read from the table is no claim.';

CREATE FUNCTION auth.organization_id(scope text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    BEGIN ATOMIC
 SELECT k.organization_id
    FROM auth.claimed_key k
   WHERE (organization_id.scope = ANY (k.scopes));
END;

ALTER FUNCTION auth.organization_id(scope text) OWNER TO leads_auth;

COMMENT ON FUNCTION auth.organization_id(scope text) IS 'The organization of the key that this transaction has proven; null if there is none or the key lacks the scope.

No row has the organization null.';

CREATE FUNCTION crm.sync_in_force(organization_id uuid, lead_id uuid) RETURNS crm.sync_values
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_sync crm.sync_values;
begin
  select s.* into v_sync
  from crm.sync as s
  left join crm.account_in_force(sync_in_force.organization_id) as c on c.vendor = s.vendor and c.account = s.account
  where s.organization_id = sync_in_force.organization_id and s.lead_id = sync_in_force.lead_id
  order by (c.vendor is not null) desc, s.created_at desc, s.id desc
  limit 1;
  return v_sync;
end $$;

ALTER FUNCTION crm.sync_in_force(organization_id uuid, lead_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.sync_in_force(organization_id uuid, lead_id uuid) IS 'The lead''s sync with the organization''s current connection, or else its latest sync with an earlier connection.

Null: the lead was never pushed.';

CREATE FUNCTION crm.sync_item(lead_id uuid, sync crm.sync_values) RETURNS api.lead_sync
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ROW(lead_id,
         CASE
             WHEN ((sync).id IS NOT NULL) THEN ROW((sync).vendor, (sync).external_id, (sync).status, (app.utc_text((sync).last_synced_at))::api.utc_time)::api.crm_sync
             ELSE NULL::api.crm_sync
         END)::api.lead_sync AS "row";
END;

ALTER FUNCTION crm.sync_item(lead_id uuid, sync crm.sync_values) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.sync_item(lead_id uuid, sync crm.sync_values) IS 'The lead''s id and the four fields of its sync; crm_sync is null if there is no sync.';

CREATE FUNCTION api.get_crm_sync(id uuid) RETURNS api.answer
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT ROW(200, NULL::json, (row_to_json(crm.sync_item(l.id, crm.sync_in_force(l.organization_id, l.id))))::text)::api.answer AS "row"
    FROM app.lead l
   WHERE ((l.organization_id = ( SELECT auth.organization_id('read'::text) AS organization_id)) AND (l.id = get_crm_sync.id));
END;

ALTER FUNCTION api.get_crm_sync(id uuid) OWNER TO leads_exec;

COMMENT ON FUNCTION api.get_crm_sync(id uuid) IS 'Get the state of a lead''s push.

crm_sync is null if the lead was never pushed. status is pending, in_progress, ok, failed or skipped. A push is skipped
if the connection was paused when the lead entered the stage, or if the lead did not have what the CRM requires. The
audit log has the reason why a push failed: lead.crm_push_failed.';

CREATE FUNCTION auth.key_scopes() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    BEGIN ATOMIC
 SELECT k.scopes
    FROM auth.claimed_key k;
END;

ALTER FUNCTION auth.key_scopes() OWNER TO leads_auth;

COMMENT ON FUNCTION auth.key_scopes() IS 'The scopes of the key that this transaction has proven; null if there is none.';

CREATE FUNCTION api.get_health() RETURNS api.answer
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT ROW(200, NULL::json, (row_to_json(ROW('ok'::text, o.organization_id, o.environment, ( SELECT auth.key_scopes() AS key_scopes))::api.health))::text)::api.answer AS "row"
    FROM app.organization o
   WHERE (o.organization_id = ( SELECT auth.organization_id('read'::text) AS organization_id));
END;

ALTER FUNCTION api.get_health() OWNER TO leads_exec;

COMMENT ON FUNCTION api.get_health() IS 'Check a key.

The response has the organization that the key belongs to, its environment (live or test), and the scopes of the key.';

CREATE FUNCTION api.get_lead(id uuid) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_answer api.answer;
begin
  select
    200,
    json_build_object('ETag', app.lead_etag(l.revision)),
    row_to_json(app.lead_whole(row(l.*)::app.lead_values))::text
  into v_answer
  from app.lead as l
  where l.organization_id = (select auth.entered_organization_id()) and l.id = get_lead.id;
  if not found then
    return null;
  end if;
  return v_answer;
end $$;

ALTER FUNCTION api.get_lead(id uuid) OWNER TO leads_exec;

COMMENT ON FUNCTION api.get_lead(id uuid) IS 'Get a lead.

The response has all 17 fields. A lead of another organization returns 404, as if it did not exist.';

CREATE FUNCTION api.get_lead_details(id uuid) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_answer api.answer;
begin
  select
    200,
    json_build_object('ETag', app.lead_etag(l.revision)),
    row_to_json(app.lead_details(row(l.*)::app.lead_values))::text
  into v_answer
  from app.lead as l
  where l.organization_id = (select auth.entered_organization_id()) and l.id = get_lead_details.id;
  if not found then
    return null;
  end if;
  return v_answer;
end $$;

ALTER FUNCTION api.get_lead_details(id uuid) OWNER TO leads_exec;

COMMENT ON FUNCTION api.get_lead_details(id uuid) IS 'Get the details of a lead.

phone is the number as you sent it. reference is your own id of the lead. details has the other values, by name.';

CREATE FUNCTION api.get_lead_everything(id uuid) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_most integer := 1000;
  v_lead app.lead_values;
  v_has_values boolean;
  v_everything api.lead_everything;
begin
  select l.* into v_lead
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = get_lead_everything.id;
  -- A lead that was deleted in SQL still has values in the audit log.
  select exists (
    select
    from audit.event as e
    where
      e.organization_id = v_organization_id
      and e.lead_id = get_lead_everything.id
      and e.action not in ('lead.erased', 'lead.read')
      and audit.erased_payload(e.payload)::text <> e.payload::text
  )
  into v_has_values;
  if v_lead.id is null and not v_has_values then
    return null;
  end if;

  if v_lead.id is not null then
    v_everything.lead := app.lead_whole(v_lead);
    v_everything.details := app.lead_details(v_lead);
  end if;
  v_everything.signals := array(
    select scoring.signal_item(
      s.id, s.organization_id, s.lead_id, s.type, s.value, s.observed_at, s.dedupe_key, s.created_at
    )
    from scoring.signal as s
    where s.organization_id = v_organization_id and s.lead_id = get_lead_everything.id
    order by s.created_at desc, s.id desc
    limit v_most + 1
  );
  v_everything.scores := array(
    select row(
      s.id, s.organization_id, s.lead_id, s.kind, s.lead_score, s.ai_reasoning, s.model, s.model_version, s.base,
      s.contributions, app.utc_text(s.created_at)
    )::api.score
    from scoring.score as s
    where s.organization_id = v_organization_id and s.lead_id = get_lead_everything.id
    order by s.created_at desc, s.id desc
    limit v_most + 1
  );
  v_everything.crm_pushes := array(
    select row(
      s.vendor, s.account, s.status, s.external_id, s.error_code, s.error, app.utc_text(s.last_synced_at),
      app.utc_text(s.created_at),
      array(
        select row(
          a.number, a.email, a.display_name, app.utc_text(a.sent_at), a.outcome, a.message, app.utc_text(a.created_at)
        )::api.crm_attempt
        from crm.attempt as a
        where a.organization_id = v_organization_id and a.sync_id = s.id
        order by a.number
      )
    )::api.crm_push
    from crm.sync as s
    where s.organization_id = v_organization_id and s.lead_id = get_lead_everything.id
    order by s.created_at, s.id
  );
  v_everything.audit_events := array(
    select audit.event_item(e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at)
    from audit.event as e
    where e.organization_id = v_organization_id and e.lead_id = get_lead_everything.id
    order by e.created_at desc, e.id desc
    limit v_most + 1
  );
  v_everything.kept_answers := array(
    select row(k.status, k.body::json, app.utc_text(k.created_at))::api.kept_answer
    from app.idempotency_key as k
    where k.organization_id = v_organization_id and strpos(k.body, get_lead_everything.id::text) > 0
    order by k.created_at desc
    limit v_most + 1
  );
  v_everything.submissions := array(
    select row(
      s.id, s.form_id, s.outcome, s.content::json, s.faults::json, app.utc_text(s.created_at)
    )::api.form_submission
    from intake.submission as s
    where s.organization_id = v_organization_id and s.lead_id = get_lead_everything.id
    order by s.created_at desc, s.id desc
    limit v_most + 1
  );
  v_everything.is_complete := greatest(
    cardinality(v_everything.submissions), cardinality(v_everything.signals), cardinality(v_everything.scores), cardinality(v_everything.audit_events),
    cardinality(v_everything.kept_answers)
  ) <= v_most;
  v_everything.submissions := v_everything.submissions[:v_most];
  v_everything.signals := v_everything.signals[:v_most];
  v_everything.scores := v_everything.scores[:v_most];
  v_everything.audit_events := v_everything.audit_events[:v_most];
  v_everything.kept_answers := v_everything.kept_answers[:v_most];
  return row(200, null::json, row_to_json(v_everything)::text);
end $$;

ALTER FUNCTION api.get_lead_everything(id uuid) OWNER TO leads_exec;

COMMENT ON FUNCTION api.get_lead_everything(id uuid) IS 'Get everything about a lead.

The lead, its details, signals, scores, pushes with their attempts, audit events, submissions of forms, and the responses
that are kept under Idempotency-Keys: what a person can ask for. lead and details are null if the lead was deleted and not erased. A list
has up to 1,000 entries, the newest. A lead that was erased returns 404.';

CREATE TABLE app.pipeline_stage (
    organization_id uuid NOT NULL,
    name text NOT NULL,
    "position" integer NOT NULL,
    CONSTRAINT pipeline_stage_name_is_name CHECK (app.is_name(name)),
    CONSTRAINT pipeline_stage_position_is_positive CHECK (("position" > 0))
);
ALTER TABLE ONLY app.pipeline_stage ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY app.pipeline_stage ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE ONLY app.pipeline_stage ALTER COLUMN "position" SET STATISTICS 0;

ALTER TABLE ONLY app.pipeline_stage FORCE ROW LEVEL SECURITY;

ALTER TABLE app.pipeline_stage OWNER TO leads_owner;

COMMENT ON TABLE app.pipeline_stage IS 'The stages of an organization''s pipeline.';

COMMENT ON COLUMN app.pipeline_stage."position" IS 'The stage''s place in the pipeline, from 1.';

CREATE FUNCTION api.get_organization() RETURNS api.answer
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT ROW(200, NULL::json, (row_to_json(ROW(o.organization_id, o.name, o.environment, ARRAY( SELECT s.name
            FROM app.pipeline_stage s
           WHERE (s.organization_id = o.organization_id)
           ORDER BY s."position", s.name), (app.utc_text(o.created_at))::api.utc_time)::api.organization))::text)::api.answer AS "row"
    FROM app.organization o
   WHERE (o.organization_id = ( SELECT auth.organization_id('read'::text) AS organization_id));
END;

ALTER FUNCTION api.get_organization() OWNER TO leads_exec;

COMMENT ON FUNCTION api.get_organization() IS 'Get the organization.

The response has the organization that the key belongs to, with its pipeline stages in their order.';

CREATE FUNCTION api.get_push(id uuid) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_sync crm.sync_values := crm.sync_in_force(auth.organization_id('write'), get_push.id);
begin
  if v_sync.id is null then
    return null;
  end if;
  return crm.push_answer(get_push.id, v_sync);
end $$;

ALTER FUNCTION api.get_push(id uuid) OWNER TO leads_exec;

COMMENT ON FUNCTION api.get_push(id uuid) IS 'Get the state of a push that is in progress.

The response is that of api.push_lead, but no push begins. The server calls this function while a client waits.';

CREATE FUNCTION api.input_faults(names text[], types text[], texts text[]) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
      elsif input_faults.types[v_index] = 'timestamp with time zone' then
        perform api.read_instant(input_faults.texts[v_index]);
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

ALTER FUNCTION api.input_faults(names text[], types text[], texts text[]) OWNER TO leads_exec;

COMMENT ON FUNCTION api.input_faults(names text[], types text[], texts text[]) IS 'The entries for errors: each text that its type refuses, and a body that is not an object. Null: none.

names: the parameters, or body. types: their types; only times and domains of schema api are checked. texts: the values
as text. The server calls this after it has found an error.';

CREATE FUNCTION api.json_text(content text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (to_json(content))::text AS to_json;
END;

ALTER FUNCTION api.json_text(content text) OWNER TO leads_exec;

COMMENT ON FUNCTION api.json_text(content text) IS 'The JSON string of a text, as text. Null for null.';

CREATE FUNCTION api.list_audit_events("limit" api.page_size DEFAULT 50, cursor api.cursor DEFAULT NULL::text, action api.any_of DEFAULT NULL::text[], source api.any_of DEFAULT NULL::text[], lead_id uuid DEFAULT NULL::uuid, start_at timestamp with time zone DEFAULT NULL::timestamp with time zone, end_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_sort TO 'off'
    AS $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_audit_events.limit + 1;
  v_bound record;
  -- Above every row.
  v_at timestamptz := 'infinity';
  v_id uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_start_at timestamptz := coalesce(list_audit_events.start_at, '-infinity');
  v_sources text[] := array['api', 'sql', 'worker', 'system'];
  v_items text[];
  v_cursor text;
begin
  if not list_audit_events.action <@ audit.actions() or not list_audit_events.source <@ v_sources then
    perform app.raise_faults(
      422, 'validation_failed', audit.event_filter_faults(list_audit_events.action, list_audit_events.source)
    );
  end if;

  if list_audit_events.cursor is not null or list_audit_events.end_at is not null then
    v_bound := app.page_bound(list_audit_events.cursor, list_audit_events.end_at);
    v_at := v_bound.created_at;
    v_id := v_bound.id;
  end if;

  -- One statement for each combination of filters, because each has its own index.
  if list_audit_events.lead_id is not null then
    v_items := array(
      select audit.event_text(
        e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at
      )
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
      select audit.event_text(
        p.id, p.organization_id, p.action, p.source, p.correlation_id, p.payload, p.created_at
      )
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
      select audit.event_text(
        p.id, p.organization_id, p.action, p.source, p.correlation_id, p.payload, p.created_at
      )
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
      select audit.event_text(
        e.id, e.organization_id, e.action, e.source, e.correlation_id, e.payload, e.created_at
      )
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  end if;

  v_cursor := app.next_cursor(v_items, list_audit_events.limit);
  return app.page(v_items, list_audit_events.limit, v_cursor);
end $$;

ALTER FUNCTION api.list_audit_events("limit" api.page_size, cursor api.cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) OWNER TO leads_exec;

COMMENT ON FUNCTION api.list_audit_events("limit" api.page_size, cursor api.cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) IS 'List the audit log, newest first.

The log has every change of the organization''s records: over the API, in SQL, by a worker or by the system. Filters
match exact values. Several values, separated by commas, match any of them; the parameter can also be repeated. start_at
is inclusive, end_at exclusive. Another action or source is an error (422).';

CREATE FUNCTION api.list_crm_connections() RETURNS api.answer
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT ROW(200, NULL::json, concat('{"data":[', string_agg((row_to_json(ROW(c.id, c.organization_id, c.vendor, c.account, c.state, c.fault, c.push_stage, c.settle_seconds, (c.settings)::json, (app.utc_text(c.created_at))::api.utc_time)::api.crm_connection))::text, ','::text), '],"next_cursor":null}'))::api.answer AS "row"
    FROM crm.connection c
   WHERE (c.organization_id = ( SELECT auth.organization_id('admin'::text) AS organization_id));
END;

ALTER FUNCTION api.list_crm_connections() OWNER TO leads_exec;

COMMENT ON FUNCTION api.list_crm_connections() IS 'List the CRM connections.

An organization has at most one connection. state is active or paused. fault says why, if the CRM rejected the
credential. The credential itself is never shown. An operator creates, pauses and removes connections.';

CREATE FUNCTION api.list_forms() RETURNS api.answer
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT ROW(200, NULL::json, concat('{"data":[', string_agg((row_to_json(intake.form_item(f.organization_id, f.id, NULL::text)))::text, ','::text ORDER BY f.created_at, f.id), '],"next_cursor":null}'))::api.answer AS "row"
    FROM intake.form f
   WHERE (f.organization_id = ( SELECT auth.organization_id('admin'::text) AS organization_id));
END;

ALTER FUNCTION api.list_forms() OWNER TO leads_exec;

COMMENT ON FUNCTION api.list_forms() IS 'List the forms.

The oldest comes first. The addresses are not shown: a token is not stored. An operator changes and revokes forms.';

CREATE FUNCTION api.list_leads("limit" api.page_size DEFAULT 50, cursor api.lead_cursor DEFAULT NULL::text, pipeline_stage api.any_of DEFAULT NULL::text[], source api.any_of DEFAULT NULL::text[], email api.any_of DEFAULT NULL::text[], start_at timestamp with time zone DEFAULT NULL::timestamp with time zone, end_at timestamp with time zone DEFAULT NULL::timestamp with time zone, phone text DEFAULT NULL::text, reference text DEFAULT NULL::text, updated_since timestamp with time zone DEFAULT NULL::timestamp with time zone, "order" api.lead_order DEFAULT NULL::text, q api.search_text DEFAULT NULL::text) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_leads.limit + 1;
  v_bound record;
  -- Above every row.
  v_at timestamptz := 'infinity';
  v_id uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_start_at timestamptz := coalesce(list_leads.start_at, '-infinity');
  v_stage text;
  v_source text;
  v_words text[];
  v_items text[];
  v_cursor text;
begin
  -- The base64 of {"position".
  if list_leads."order" = 'updated_at' or list_leads.updated_since is not null or list_leads.cursor like 'eyJwb3NpdGlvbiI%' then
    perform app.raise_faults(422, 'validation_failed', app.order_faults(
      list_leads."order", list_leads.cursor,
      array[
        case when list_leads.pipeline_stage is not null then 'pipeline_stage' end,
        case when list_leads.source is not null then 'source' end,
        case when list_leads.email is not null then 'email' end,
        case when list_leads.start_at is not null then 'start_at' end,
        case when list_leads.end_at is not null then 'end_at' end,
        case when list_leads.phone is not null then 'phone' end,
        case when list_leads.reference is not null then 'reference' end,
        case when list_leads.q is not null then 'q' end
      ]
    ));
    return app.changed_leads(v_organization_id, list_leads.cursor, list_leads.updated_since, list_leads.limit);
  end if;
  if list_leads.cursor is not null or list_leads.end_at is not null then
    v_bound := app.page_bound(list_leads.cursor, list_leads.end_at);
    v_at := v_bound.created_at;
    v_id := v_bound.id;
  end if;

  if list_leads.q is not null then
    v_words := app.search_words(list_leads.q);
    perform app.raise_faults(422, 'validation_failed', (
      select json_agg(f.fault)
      from (
        select json_array_elements(app.search_faults(list_leads.q, v_words, array[
          case when list_leads.email is not null then 'email' end,
          case when list_leads.phone is not null then 'phone' end,
          case when list_leads.reference is not null then 'reference' end
        ])) as fault
        union all
        select json_array_elements(app.lead_filter_faults(
          v_organization_id, list_leads.pipeline_stage, list_leads.source, null
        ))
      ) as f
    ));
    return app.found_leads(
      v_organization_id, v_words, list_leads.pipeline_stage, list_leads.source, v_at, v_id, v_start_at, list_leads.limit
    );
  end if;

  -- One statement for each combination of filters, because each has its own index: a condition such
  -- as (source is null or l.source = source) would prevent its use.
  if
    list_leads.pipeline_stage is null and list_leads.source is null and list_leads.email is null
    and list_leads.phone is null and list_leads.reference is null
  then
    v_items := array(
      select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and (l.created_at, l.id) < (v_at, v_id)
        and l.created_at >= v_start_at
      order by l.created_at desc, l.id desc
      limit v_rows
    );
  elsif list_leads.phone is not null or list_leads.reference is not null then
    perform app.raise_faults(422, 'validation_failed', (
      select json_agg(f.fault)
      from (
        select json_array_elements(app.lead_filter_faults(
          v_organization_id, list_leads.pipeline_stage, list_leads.source, list_leads.email
        )) as fault
        union all
        select json_array_elements(app.phone_filter_faults(list_leads.phone, list_leads.reference))
      ) as f
    ));
    v_items := app.leads_by_phone_or_reference(
      v_organization_id, list_leads.phone, list_leads.reference, list_leads.email, list_leads.pipeline_stage,
      list_leads.source, v_at, v_id, v_start_at, v_rows
    );
  else
    perform app.raise_faults(422, 'validation_failed', app.lead_filter_faults(
      v_organization_id, list_leads.pipeline_stage, list_leads.source, list_leads.email
    ));

    -- Several values are one index scan each. The plan for them costs more, so one value has its own.
    v_stage := case when cardinality(list_leads.pipeline_stage) = 1 then list_leads.pipeline_stage[1] end;
    v_source := case when cardinality(list_leads.source) = 1 then list_leads.source[1] end;
    if list_leads.email is not null then
      v_items := array(
        select p.item
        from (select distinct lower(app.read_email(u.value) collate "C") as value from unnest(list_leads.email) as u (value)) as e
        cross join lateral (
          select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values)) as item, l.created_at, l.id
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
    elsif v_stage is not null and v_source is not null then
      v_items := array(
        select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.pipeline_stage_and_source = v_stage || '/' || v_source
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      );
    elsif v_stage is not null and list_leads.source is null then
      v_items := array(
        select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.pipeline_stage = v_stage
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      );
    elsif v_source is not null and list_leads.pipeline_stage is null then
      v_items := array(
        select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
        from app.lead as l
        where
          l.organization_id = v_organization_id
          and l.source = v_source
          and (l.created_at, l.id) < (v_at, v_id)
          and l.created_at >= v_start_at
        order by l.created_at desc, l.id desc
        limit v_rows
      );
    elsif list_leads.source is null then
      v_items := array(
        select p.item
        from (select distinct u.value from unnest(list_leads.pipeline_stage) as u (value)) as g
        cross join lateral (
          select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values)) as item, l.created_at, l.id
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
    elsif list_leads.pipeline_stage is null then
      v_items := array(
        select p.item
        from (select distinct u.value from unnest(list_leads.source) as u (value)) as s
        cross join lateral (
          select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values)) as item, l.created_at, l.id
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
        select p.item
        from (
          select distinct g.value || '/' || s.value as value
          from unnest(list_leads.pipeline_stage) as g (value)
          cross join unnest(list_leads.source) as s (value)
        ) as f
        cross join lateral (
          select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values)) as item, l.created_at, l.id
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
    end if;
  end if;

  v_cursor := app.next_cursor(v_items, list_leads.limit);
  return app.page(v_items, list_leads.limit, v_cursor);
end $$;

ALTER FUNCTION api.list_leads("limit" api.page_size, cursor api.lead_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, start_at timestamp with time zone, end_at timestamp with time zone, phone text, reference text, updated_since timestamp with time zone, "order" api.lead_order, q api.search_text) OWNER TO leads_exec;

COMMENT ON FUNCTION api.list_leads("limit" api.page_size, cursor api.lead_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, start_at timestamp with time zone, end_at timestamp with time zone, phone text, reference text, updated_since timestamp with time zone, "order" api.lead_order, q api.search_text) IS 'List leads, newest first.

The order is created_at, then id, both descending. Filters match exact values. Several values of pipeline_stage, source
or email, separated by commas, match any of them; the parameter can also be repeated. A value that no lead can have, such
as an unknown stage, is an error (422). email ignores the case of A to Z. phone compares numbers, not their spelling: a
number without a country code is completed with that of the organization. reference is your own id of a lead. start_at
is inclusive, end_at exclusive. The pages contain every lead that existed when you requested the first page exactly once.
Rows do not become visible in the order of created_at: to follow changes, use order=updated_at.

q finds the leads whose name, company and email have all of its words, up to 5, each as the beginning of a word. Upper and
lower case are equal. Words are letters and digits; an e-mail address is also found by its beginning, if that has an @. With
q, a page can have fewer rows than limit and still have a next_cursor: go on until it is null. q can be combined with
pipeline_stage, source, start_at and end_at.

With order=updated_at or updated_since, the response has the leads that changed, in the order of their changes, each as it
is now. It always has a next_cursor. Store it, and go on with it later: if it stays the same, no further change has been
sealed. No change is missed, not even one of a long transaction. A change appears when the worker has sealed it in the
audit log, usually within a second. A lead can appear again although it is unchanged. limit is the number of changes.
Other filters are not allowed. A lead that was erased is in the audit log only (lead.erased). cursor_expired (400) means
that the cursor is from another database, or that the database was restored to an earlier time: read all leads again.';

CREATE FUNCTION api.list_scores(id uuid, "limit" api.page_size DEFAULT 50, cursor api.cursor DEFAULT NULL::text) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.entered_organization_id();
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

ALTER FUNCTION api.list_scores(id uuid, "limit" api.page_size, cursor api.cursor) OWNER TO leads_exec;

COMMENT ON FUNCTION api.list_scores(id uuid, "limit" api.page_size, cursor api.cursor) IS 'List the history of a lead''s score, newest first.

kind is scored or set. scored: a model computed the score; model is own or default, and the entry has the version of the
model, its base, and the contributions. set: someone wrote the score to the lead, over the API or in SQL; the other
fields are null.';

CREATE FUNCTION api.list_signals(id uuid, "limit" api.page_size DEFAULT 50, cursor api.cursor DEFAULT NULL::text) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.entered_organization_id();
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

ALTER FUNCTION api.list_signals(id uuid, "limit" api.page_size, cursor api.cursor) OWNER TO leads_exec;

COMMENT ON FUNCTION api.list_signals(id uuid, "limit" api.page_size, cursor api.cursor) IS 'List the signals of a lead, newest first.

The order is created_at, then id, both descending.';

CREATE FUNCTION api.object_text(VARIADIC members text[]) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (('{'::text || COALESCE(string_agg(((to_json((object_text.members)[n.n]) || ':'::text) || (object_text.members)[(n.n + 1)]), ','::text ORDER BY n.n), ''::text)) || '}'::text)
    FROM generate_series(1, cardinality(object_text.members), 2) n(n)
   WHERE ((object_text.members)[(n.n + 1)] IS NOT NULL);
END;

ALTER FUNCTION api.object_text(VARIADIC members text[]) OWNER TO leads_exec;

COMMENT ON FUNCTION api.object_text(VARIADIC members text[]) IS 'A JSON object. json_build_object adds white space, and jsonb changes the order.

members: names and values in turn; a value is JSON text, and a member whose value is null is left out.';

CREATE FUNCTION api.operations() RETURNS TABLE(id text, method text, path text, scope text, function oid, arguments text[], tag text, summary text, description text, request text, rule json, answer text, form text, statuses integer[], headers text[], problems text[], parameters json, examples json)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT ((f.proname)::text || COALESCE(('_'::text || NULLIF(row_number() OVER (PARTITION BY f.proname ORDER BY r.path, r.method), 1)), ''::text)),
     r.method,
     r.path,
     r.scope,
     f.oid,
     a.arguments,
     COALESCE(o.tag, 'Other'::text) AS "coalesce",
     rtrim(split_part(obj_description(f.oid, 'pg_proc'::name), '
'::text, 1), '.'::text) AS rtrim,
     NULLIF(btrim(regexp_replace(obj_description(f.oid, 'pg_proc'::name), '^[^\n]*\n*'::text, ''::text), '
 '::text), ''::text) AS "nullif",
         CASE
             WHEN (to_regclass(o.request) IS NOT NULL) THEN o.request
             ELSE NULL::text
         END AS "case",
     o.rule,
         CASE
             WHEN (to_regclass(o.answer) IS NOT NULL) THEN o.answer
             ELSE NULL::text
         END AS "case",
     COALESCE(o.form,
         CASE
             WHEN ('cursor'::text = ANY (a.arguments)) THEN 'page'::text
             ELSE 'object'::text
         END) AS "coalesce",
     COALESCE(o.statuses, '{200}'::integer[]) AS "coalesce",
     COALESCE(o.headers, '{}'::text[]) AS "coalesce",
     (((((((COALESCE(o.problems, '{}'::text[]) || ARRAY['invalid_parameter'::text, 'unauthorized'::text, 'internal'::text, 'unavailable'::text]) ||
         CASE
             WHEN (r.scope IS NOT NULL) THEN ARRAY['insufficient_scope'::text]
             ELSE NULL::text[]
         END) ||
         CASE
             WHEN (r.method <> 'GET'::text) THEN ARRAY['outcome_unknown'::text]
             ELSE NULL::text[]
         END) ||
         CASE
             WHEN (strpos(r.path, '{'::text) > 0) THEN ARRAY['not_found'::text]
             ELSE NULL::text[]
         END) ||
         CASE
             WHEN ('if_match'::text = ANY (a.arguments)) THEN ARRAY['precondition_failed'::text]
             ELSE NULL::text[]
         END) ||
         CASE
             WHEN ('idempotency_key'::text = ANY (a.arguments)) THEN ARRAY['idempotency_key_reused'::text, 'idempotency_in_progress'::text, 'erased'::text]
             ELSE NULL::text[]
         END) ||
         CASE
             WHEN ('body'::text = ANY (a.arguments)) THEN ARRAY['invalid_body'::text, 'payload_too_large'::text, 'unsupported_media_type'::text, 'validation_failed'::text]
             ELSE NULL::text[]
         END),
     COALESCE(o.parameters, '{}'::json) AS "coalesce",
     COALESCE(o.examples, '{}'::json) AS "coalesce"
    FROM (((api.route r
      JOIN pg_proc f ON (((f.oid = (
         CASE
             WHEN (r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$'::text) THEN to_regproc(r.function)
             ELSE NULL::regproc
         END)::oid) AND (f.prorettype = ('api.answer'::regtype)::oid) AND has_function_privilege(SESSION_USER, f.oid, 'execute'::text))))
      CROSS JOIN LATERAL ( SELECT COALESCE(f.proargnames[:f.pronargs], '{}'::text[]) AS arguments) a)
      LEFT JOIN api.operation o ON ((o.function = r.function)))
   WHERE (r.key_parameter IS NULL);
END;

ALTER FUNCTION api.operations() OWNER TO leads_exec;

COMMENT ON FUNCTION api.operations() IS 'A row for each route whose function the login may execute.

id: the operationId. arguments: the names of the function''s arguments. problems: the codes of all errors that the
operation can return, those of api.operation and those that follow from the method, the path and the arguments. The
other columns are those of api.route and api.operation, with the defaults filled in.';

CREATE FUNCTION api.openapi_headers() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 WITH known(name, description) AS (
          VALUES ('X-Request-Id'::text,'The id of the request: yours, or one that the server generated. It is also in the audit log and in the server''s log.'::text), ('ETag'::text,'The entity tag of the record (RFC 9110, section 8.8.3). Every change gives the record another tag.'::text), ('Location'::text,'The address of the new record.'::text), ('Link'::text,'The address of the next page, with rel="next" (RFC 8288). The last page has no Link.'::text), ('Content-Disposition'::text,'attachment, with the name of a file.'::text), ('Retry-After'::text,'How many seconds to wait before you send the request again.'::text), ('Idempotency-Replayed'::text,'true if this is the first response again.'::text), ('WWW-Authenticate'::text,'Always Bearer.'::text)
         ), header AS (
          SELECT COALESCE(k.name, h_1.name) AS name,
             k.description
            FROM (known k
              FULL JOIN ( SELECT DISTINCT n.name
                    FROM (api.operations() o(id, method, path, scope, function, arguments, tag, summary, description, request, rule, answer, form, statuses, headers, problems, parameters, examples)
                      CROSS JOIN LATERAL unnest(o.headers) n(name))) h_1 ON ((h_1.name = k.name)))
         )
  SELECT (('{'::text || string_agg(((api.json_text(h.name) || ':'::text) || api.object_text(VARIADIC ARRAY['description'::text, api.json_text(h.description), 'schema'::text, '{"type":"string"}'::text])), ','::text ORDER BY h.name)) || '}'::text)
    FROM header h;
END;

ALTER FUNCTION api.openapi_headers() OWNER TO leads_exec;

COMMENT ON FUNCTION api.openapi_headers() IS 'The shared headers, as JSON text: those that the server sends, and those of the documentation of an operation.';

CREATE FUNCTION api.release_version() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT '0.9.0'::text;
END;

ALTER FUNCTION api.release_version() OWNER TO leads_exec;

COMMENT ON FUNCTION api.release_version() IS 'The version of the release that made this schema. The reference shows it.';

CREATE TABLE api.guide (
    "position" integer NOT NULL,
    title text NOT NULL,
    body text NOT NULL
);

ALTER TABLE api.guide OWNER TO leads_owner;

COMMENT ON TABLE api.guide IS 'The guide at the beginning of the reference: a row for each section.';

COMMENT ON COLUMN api.guide."position" IS 'The position of the section, from 1.';

COMMENT ON COLUMN api.guide.title IS 'The title of the section.';

COMMENT ON COLUMN api.guide.body IS 'The section, in Markdown.';

CREATE TABLE api.problem (
    raised_by text NOT NULL,
    status integer NOT NULL,
    code text NOT NULL,
    title text NOT NULL,
    detail text NOT NULL,
    field text,
    field_code text,
    CONSTRAINT problem_code_is_name CHECK (app.is_name(code)),
    CONSTRAINT problem_field_has_a_code CHECK (((field IS NULL) = (field_code IS NULL))),
    CONSTRAINT problem_status_is_an_error CHECK (((status >= 400) AND (status <= 599)))
);

ALTER TABLE api.problem OWNER TO leads_owner;

COMMENT ON TABLE api.problem IS 'The responses for errors (RFC 9457): one row for each code word, SQLSTATE and constraint.';

COMMENT ON COLUMN api.problem.raised_by IS 'The word that a function or the API server raises, a SQLSTATE, or the name of a constraint.';

COMMENT ON COLUMN api.problem.status IS 'The HTTP status.';

COMMENT ON COLUMN api.problem.code IS 'The member code of the response.';

COMMENT ON COLUMN api.problem.title IS 'The member title of the response.';

COMMENT ON COLUMN api.problem.detail IS 'The member detail of the response, if the error has no hint. For a constraint on a field: the detail of the field error.';

COMMENT ON COLUMN api.problem.field IS 'The field of the field error, for a constraint on a field.';

COMMENT ON COLUMN api.problem.field_code IS 'The code of the field error.';

CREATE FUNCTION api.openapi_info() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT api.object_text(VARIADIC ARRAY['title'::text, '"Leads API"'::text, 'summary'::text, api.json_text('Leads of an organization: stored, scored with reasons, pushed to its CRM exactly once, and audited.'::text), 'version'::text, api.json_text(api.release_version()), 'contact'::text, '{"name":"API support","email":"api@example.com"}'::text, 'license'::text, '{"name":"MIT","identifier":"MIT"}'::text, 'description'::text, api.json_text(concat_ws('

'::text, ( SELECT string_agg(format('## %s

%s'::text, g.title, g.body), '

'::text ORDER BY g."position") AS string_agg
            FROM api.guide g), '## Error codes', ( SELECT ('| code | status | what to do |
| --- | --- | --- |
'::text || string_agg(format('| `%s` | %s | %s |'::text, p.code, p.status, p.detail), '
'::text ORDER BY p.status, p.code))
            FROM api.problem p
           WHERE (p.raised_by = p.code))))]) AS object_text;
END;

ALTER FUNCTION api.openapi_info() OWNER TO leads_exec;

COMMENT ON FUNCTION api.openapi_info() IS 'The info object, as JSON text. Its description is the guide (api.guide), with a table of the error codes.';

CREATE FUNCTION api.schema_name(type text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT replace(initcap(replace(regexp_replace(type, '^api\.'::text, ''::text), '_'::text, ' '::text)), ' '::text, ''::text) AS replace;
END;

ALTER FUNCTION api.schema_name(type text) OWNER TO leads_exec;

COMMENT ON FUNCTION api.schema_name(type text) IS 'The words of a name in camel case: LeadItem for lead_item or api.lead_item.';

CREATE FUNCTION api.schema_reference(type text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (('{"$ref":"#/components/schemas/'::text || api.schema_name(type)) || '"}'::text);
END;

ALTER FUNCTION api.schema_reference(type text) OWNER TO leads_exec;

COMMENT ON FUNCTION api.schema_reference(type text) IS 'A JSON Schema, as text, that refers to the schema of a type of schema api. Null for null.';

CREATE TABLE api.shape (
    type text NOT NULL,
    relation text,
    never_null text[] DEFAULT '{}'::text[] NOT NULL,
    fields json DEFAULT '{}'::json NOT NULL,
    example json,
    CONSTRAINT shape_fields_are_an_object CHECK ((json_typeof(fields) = 'object'::text)),
    CONSTRAINT shape_names_a_relation CHECK ((relation ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$'::text))
);

ALTER TABLE api.shape OWNER TO leads_owner;

COMMENT ON TABLE api.shape IS 'What the reference says about a type of schema api and the catalogue cannot.';

COMMENT ON COLUMN api.shape.type IS 'The type, with its schema.';

COMMENT ON COLUMN api.shape.relation IS 'The table whose rows the type shows. The constraints on a column apply to the field of the same name. Null: no table.';

COMMENT ON COLUMN api.shape.never_null IS 'Fields that are never null although no column of the table says so. In a request, they are required.';

COMMENT ON COLUMN api.shape.fields IS 'JSON Schemas of fields, by name, where the type and the constraints say too little. The description is added.';

COMMENT ON COLUMN api.shape.example IS 'An example.';

CREATE FUNCTION api.operation_bodies() RETURNS TABLE(operation_id text, body text, schema_name text, schema text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 WITH operation AS (
          SELECT o_1.id,
             r.media_types,
             o_1.request,
                 CASE
                     WHEN ((o_1.request IS NOT NULL) AND (o_1.rule IS NOT NULL)) THEN (o_1.id || '_body'::text)
                     ELSE NULL::text
                 END AS schema_name,
             replace((json_strip_nulls(o_1.rule))::text, '"$body"'::text, api.schema_reference(o_1.request)) AS schema,
             COALESCE(((o_1.examples -> 'request'::text))::text, ( SELECT (s.example)::text AS example
                    FROM api.shape s
                   WHERE (s.type = o_1.request))) AS example
            FROM (api.operations() o_1(id, method, path, scope, function, arguments, tag, summary, description, request, rule, answer, form, statuses, headers, problems, parameters, examples)
              JOIN api.route r ON (((r.method = o_1.method) AND (r.path = o_1.path))))
           WHERE ('body'::text = ANY (o_1.arguments))
         )
  SELECT o.id,
     api.object_text(VARIADIC ARRAY['required'::text, 'true'::text, 'content'::text, ( SELECT (('{'::text || string_agg(((api.json_text(t.name) || ':'::text) || m.content), ','::text ORDER BY t."position")) || '}'::text)
            FROM unnest(o.media_types) WITH ORDINALITY t(name, "position"))]) AS object_text,
     o.schema_name,
         CASE
             WHEN (o.schema_name IS NOT NULL) THEN o.schema
             ELSE NULL::text
         END AS "case"
    FROM (operation o
      CROSS JOIN LATERAL ( SELECT api.object_text(VARIADIC ARRAY['schema'::text, COALESCE(api.schema_reference(COALESCE(o.schema_name, o.request)), '{"type":"object"}'::text), 'example'::text, o.example]) AS content) m);
END;

ALTER FUNCTION api.operation_bodies() OWNER TO leads_exec;

COMMENT ON FUNCTION api.operation_bodies() IS 'The request body of each operation whose function has the argument body.

schema_name, schema: the schema of the operation''s rule, with its name as api.schema_name takes it. Null: the body is described by its type.';

CREATE FUNCTION app.phone_pattern() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT format('^(?:[^0-9%1$s]*[0-9]){3,20}[^0-9%1$s]*$'::text, '\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f') AS format;
END;

ALTER FUNCTION app.phone_pattern() OWNER TO leads_owner;

COMMENT ON FUNCTION app.phone_pattern() IS 'A regular expression (ECMA 262) for a text that has 3 to 20 digits and no control character, as app.is_phone has it.';

CREATE FUNCTION app.text_pattern() RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  -- As app.clean_text and app.control_character have them; PostgreSQL cannot store NUL.
  v_trimmed text :=
    '\t\n\r \u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff';
  v_invisible text := '\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8';
  v_control text := '\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f';
begin
  return format('^[^%3$s]*[^%3$s%1$s%2$s][^%3$s]*$', v_trimmed, v_invisible, v_control);
end $_$;

ALTER FUNCTION app.text_pattern() OWNER TO leads_owner;

COMMENT ON FUNCTION app.text_pattern() IS 'A regular expression (ECMA 262) for a text that has a visible character and no control character.';

CREATE FUNCTION api.value_schema(type oid, checks text[], is_nullable boolean, is_input boolean, more text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 WITH source AS (
          SELECT t.typname AS name,
             format_type(COALESCE(NULLIF(t.typbasetype, (0)::oid), t.oid), NULL::integer) AS base,
             (t.typtype = 'c'::"char") AS is_composite,
             i.typname AS item_name,
             (i.typtype = 'c'::"char") AS is_list_of_composites,
             array_to_string(value_schema.checks, ' '::text) AS checks
            FROM (pg_type t
              LEFT JOIN pg_type i ON ((i.typarray = t.oid)))
           WHERE (t.oid = value_schema.type)
         ), fact AS (
          SELECT s.name,
             s.base,
             s.is_composite,
             s.item_name,
             s.is_list_of_composites,
             s.checks,
             COALESCE((regexp_match(s.checks, 'app\.is_text\([^,]+, ([0-9]+)\)'::text))[1], (regexp_match(s.checks, 'char_length\(VALUE\) >= 1\) AND \(char_length\(VALUE\) <= ([0-9]+)\)'::text))[1]) AS max_length,
             (s.checks ~ 'app\.is_name\('::text) AS is_name,
             (s.checks ~ 'app\.is_email\('::text) AS is_email,
             (s.checks ~ 'app\.is_phone\('::text) AS is_phone,
             (regexp_match(s.checks, '>= [('']*(-?[0-9]+(\.[0-9]+)?)'::text))[1] AS minimum,
             (regexp_match(s.checks, '<= [('']*(-?[0-9]+(\.[0-9]+)?)'::text))[1] AS maximum,
             ( SELECT (json_agg(replace(v.word[1], ''''''::text, ''''::text)))::text AS json_agg
                    FROM regexp_matches((regexp_match(s.checks, '= ANY \(ARRAY\[(.*?)\]\)'::text))[1], '''((?:[^'']|'''')*)'''::text, 'g'::text) v(word)) AS words
            FROM source s
         )
  SELECT (('{'::text || concat_ws(','::text,
         CASE
             WHEN f.is_composite THEN
             CASE
                 WHEN value_schema.is_nullable THEN format('"anyOf":[{"$ref":"#/components/schemas/%s"},{"type":"null"}]'::text, api.schema_name((f.name)::text))
                 ELSE format('"$ref":"#/components/schemas/%s"'::text, api.schema_name((f.name)::text))
             END
             WHEN (f.base = ANY (ARRAY['json'::text, 'jsonb'::text])) THEN NULL::text
             WHEN (f.base = 'text[]'::text) THEN ((((k.type || ',"items":{'::text) || concat_ws(','::text, '"type":"string"', ('"enum":'::text || f.words),
             CASE
                 WHEN ((f.checks ~ 'cardinality'::text) AND (f.words IS NULL)) THEN COALESCE(k.pattern, '"pattern":"^[^,\\u0000]+$"'::text)
                 ELSE NULL::text
             END)) || '}'::text) ||
             CASE
                 WHEN (f.checks ~ 'cardinality'::text) THEN (',"minItems":1,"maxItems":'::text || f.maximum)
                 ELSE ''::text
             END)
             WHEN (f.base = 'timestamp with time zone'::text) THEN (('"anyOf":[{"type":"string","format":"date-time"},{"type":"string","format":"date"}'::text ||
             CASE
                 WHEN value_schema.is_nullable THEN ',{"type":"null"}'::text
                 ELSE ''::text
             END) || ']'::text)
             WHEN f.is_list_of_composites THEN (k.type || format(',"items":{"$ref":"#/components/schemas/%s"}'::text, api.schema_name((f.item_name)::text)))
             ELSE k.type
         END,
         CASE
             WHEN (f.base = 'uuid'::text) THEN '"format":"uuid"'::text
             ELSE NULL::text
         END,
         CASE
             WHEN (f.name = 'utc_time'::name) THEN '"format":"date-time"'::text
             ELSE NULL::text
         END,
         CASE
             WHEN ((f.words IS NOT NULL) AND (f.base <> 'text[]'::text)) THEN ('"enum":'::text ||
             CASE
                 WHEN value_schema.is_nullable THEN regexp_replace(f.words, '\]$'::text, ', null]'::text)
                 ELSE f.words
             END)
             ELSE NULL::text
         END,
         CASE
             WHEN (f.max_length IS NOT NULL) THEN ('"minLength":1,"maxLength":'::text || f.max_length)
             ELSE NULL::text
         END,
         CASE
             WHEN (f.is_email AND (f.base <> 'text[]'::text)) THEN '"maxLength":254'::text
             ELSE NULL::text
         END,
         CASE
             WHEN f.is_phone THEN '"maxLength":64'::text
             ELSE NULL::text
         END,
         CASE
             WHEN (f.base = 'text[]'::text) THEN NULL::text
             WHEN (k.pattern IS NOT NULL) THEN k.pattern
             WHEN f.is_phone THEN
             CASE
                 WHEN value_schema.is_input THEN ('"pattern":'::text || to_json(app.phone_pattern()))
                 ELSE NULL::text
             END
             WHEN ((f.max_length IS NOT NULL) AND value_schema.is_input) THEN ('"pattern":'::text || to_json(app.text_pattern()))
             WHEN (f.checks ~ 'is_cursor\('::text) THEN ('"pattern":'::text || to_json('^[A-Za-z0-9_-]{0,200}$'::text))
             WHEN ((f.base = 'text'::text) AND (f.checks ~ ' ~ '::text)) THEN ('"pattern":'::text || to_json(api.expression(f.checks)))
             ELSE NULL::text
         END,
         CASE
             WHEN (k.type ~ 'integer|number'::text) THEN ('"minimum":'::text || f.minimum)
             ELSE NULL::text
         END,
         CASE
             WHEN (k.type ~ 'integer|number'::text) THEN ('"maximum":'::text || f.maximum)
             ELSE NULL::text
         END, value_schema.more)) || '}'::text)
    FROM (fact f
      CROSS JOIN LATERAL ( SELECT ('"type":'::text ||
                 CASE
                     WHEN value_schema.is_nullable THEN format('["%s","null"]'::text, n.name)
                     ELSE format('"%s"'::text, n.name)
                 END) AS type,
             (('"pattern":'::text || to_json(api.expression(( SELECT p.prosrc
                    FROM pg_proc p
                   WHERE (p.oid = (
                         CASE
                             WHEN f.is_name THEN 'app.is_name(text)'::regprocedure
                             WHEN f.is_email THEN 'app.is_email(text)'::regprocedure
                             ELSE NULL::regprocedure
                         END)::oid))))) ||
                 CASE
                     WHEN f.is_name THEN ',"maxLength":64'::text
                     ELSE ''::text
                 END) AS pattern
            FROM ( SELECT
                         CASE
                             WHEN (f.base = ANY (ARRAY['smallint'::text, 'integer'::text, 'bigint'::text])) THEN 'integer'::text
                             WHEN (f.base = ANY (ARRAY['numeric'::text, 'real'::text, 'double precision'::text])) THEN 'number'::text
                             WHEN (f.base = 'boolean'::text) THEN 'boolean'::text
                             WHEN (f.base ~~ '%[]'::text) THEN 'array'::text
                             ELSE 'string'::text
                         END AS name) n) k);
END;

ALTER FUNCTION api.value_schema(type oid, checks text[], is_nullable boolean, is_input boolean, more text) OWNER TO leads_exec;

COMMENT ON FUNCTION api.value_schema(type oid, checks text[], is_nullable boolean, is_input boolean, more text) IS 'The JSON Schema (2020-12, as in OpenAPI 3.1) of a value, as text.

type: the type of the value; it can be a domain. checks: the constraints on the value, as pg_get_constraintdef prints
them. is_input: whether a client sends the value. more: further members of the schema, as JSON text without braces;
null: none.';

CREATE FUNCTION audit.actions() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ARRAY['lead.created'::text, 'lead.updated'::text, 'lead.scored'::text, 'lead.deleted'::text, 'lead.erased'::text, 'lead.read'::text, 'lead.crm_push_requested'::text, 'lead.crm_pushed'::text, 'lead.crm_push_failed'::text, 'lead.crm_push_skipped'::text, 'crm_connection.created'::text, 'crm_connection.updated'::text, 'crm_connection.deleted'::text, 'crm_sync.updated'::text, 'crm_sync.deleted'::text, 'signal.created'::text, 'signal.updated'::text, 'signal.deleted'::text, 'score.deleted'::text, 'scoring_model.created'::text, 'scoring_model.updated'::text, 'scoring_model.deleted'::text, 'api_key.created'::text, 'api_key.rotated'::text, 'api_key.updated'::text, 'api_key.revoked'::text, 'api_key.deleted'::text, 'analyst.created'::text, 'analyst.updated'::text, 'analyst.deleted'::text, 'organization.created'::text, 'organization.updated'::text, 'organization.deleted'::text, 'organization.erased'::text, 'form.created'::text, 'form.updated'::text, 'form.deleted'::text, 'pipeline_stage.created'::text, 'pipeline_stage.updated'::text, 'pipeline_stage.deleted'::text] AS "array";
END;

ALTER FUNCTION audit.actions() OWNER TO leads_audit;

COMMENT ON FUNCTION audit.actions() IS 'The actions that an event can have. The filter of the API accepts these. A table that audit.tg_record records needs its own here.';

CREATE TABLE api.parameter (
    name text NOT NULL,
    description text NOT NULL,
    example text
);

ALTER TABLE api.parameter OWNER TO leads_owner;

COMMENT ON TABLE api.parameter IS 'The descriptions of parameters that several routes share.';

COMMENT ON COLUMN api.parameter.name IS 'The name of the argument.';

COMMENT ON COLUMN api.parameter.description IS 'What the parameter does, in Markdown.';

COMMENT ON COLUMN api.parameter.example IS 'A value, as a client sends it.';

CREATE FUNCTION api.operation_parameters() RETURNS TABLE(operation_id text, parameters text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 WITH argument AS (
          SELECT o.id AS operation_id,
             a."position",
             a.name,
             a.type,
             api.default_text(o.function, (a."position")::integer) AS default_text,
             (a."position" > (p_1.pronargs - p_1.pronargdefaults)) AS is_optional,
             COALESCE((o.parameters ->> a.name), d.description, obj_description(a.type, 'pg_type'::name)) AS description,
             d.example,
                 CASE
                     WHEN (strpos(o.path, (('{'::text || a.name) || '}'::text)) > 0) THEN 'path'::text
                     WHEN (a.name = ANY (ARRAY['if_match'::text, 'idempotency_key'::text])) THEN 'header'::text
                     ELSE 'query'::text
                 END AS place,
             format_type(COALESCE(NULLIF(t.typbasetype, (0)::oid), t.oid), NULL::integer) AS base,
             ((ARRAY( SELECT pg_get_constraintdef(k.oid) AS pg_get_constraintdef
                    FROM pg_constraint k
                   WHERE (k.contypid = a.type)
                   ORDER BY k.conname) || ARRAY( SELECT pg_get_constraintdef(k.oid) AS pg_get_constraintdef
                    FROM ((api.shape s
                      JOIN pg_attribute c ON (((c.attrelid = (to_regclass(s.relation))::oid) AND (c.attname = a.name))))
                      JOIN pg_constraint k ON (((k.conrelid = c.attrelid) AND (k.contype = 'c'::"char") AND (k.conkey = ARRAY[c.attnum]))))
                   WHERE ((s.type = o.answer) AND (pg_get_constraintdef(k.oid) ~ '= ANY \(ARRAY\[|app\.is_(name|email|phone|text)\('::text))
                   ORDER BY k.conname)) || ARRAY( SELECT format('= ANY (ARRAY[%s])'::text, string_agg(quote_literal(w.action), ', '::text)) AS format
                    FROM unnest(audit.actions()) w(action)
                   WHERE (a.name = 'action'::text)
                  HAVING (count(*) > 0))) AS checks
            FROM ((((api.operations() o(id, method, path, scope, function, arguments, tag, summary, description, request, rule, answer, form, statuses, headers, problems, parameters, examples)
              JOIN pg_proc p_1 ON ((p_1.oid = o.function)))
              CROSS JOIN LATERAL UNNEST((p_1.proargtypes)::oid[], o.arguments) WITH ORDINALITY a(type, name, "position"))
              JOIN pg_type t ON ((t.oid = a.type)))
              LEFT JOIN api.parameter d ON ((d.name = a.name)))
           WHERE ((a.name <> ALL (ARRAY['body'::text, 'idempotency_wait'::text])) AND (NOT ((a.name = 'cursor'::text) AND (o.form = 'export'::text))))
         ), parameter AS (
          SELECT a.operation_id,
             a."position",
             api.object_text(VARIADIC ARRAY['name'::text, api.json_text(
                 CASE a.name
                     WHEN 'if_match'::text THEN 'If-Match'::text
                     WHEN 'idempotency_key'::text THEN 'Idempotency-Key'::text
                     ELSE a.name
                 END), 'in'::text, api.json_text(a.place), 'required'::text,
                 CASE
                     WHEN ((a.place = 'path'::text) OR (NOT a.is_optional)) THEN 'true'::text
                     ELSE NULL::text
                 END, 'description'::text, api.json_text(a.description), 'style'::text,
                 CASE
                     WHEN (a.base = 'text[]'::text) THEN '"form"'::text
                     ELSE NULL::text
                 END, 'explode'::text,
                 CASE
                     WHEN (a.base = 'text[]'::text) THEN 'false'::text
                     ELSE NULL::text
                 END, 'schema'::text, api.value_schema(a.type, a.checks, false, true, ('"default":'::text ||
                 CASE
                     WHEN (a.base = ANY (ARRAY['integer'::text, 'boolean'::text])) THEN a.default_text
                     ELSE api.json_text(a.default_text)
                 END)), 'examples'::text, ((('{"default":{"value":'::text ||
                 CASE
                     WHEN (a.base = 'text[]'::text) THEN (to_json(string_to_array(a.example, ','::text)))::text
                     WHEN ((a.base = 'integer'::text) AND (a.example ~ '^-?(0|[1-9][0-9]*)$'::text)) THEN a.example
                     WHEN ((a.base = 'boolean'::text) AND (a.example = ANY (ARRAY['true'::text, 'false'::text]))) THEN a.example
                     ELSE api.json_text(a.example)
                 END) ||
                 CASE
                     WHEN a.is_optional THEN ',"x-disabled":true'::text
                     ELSE ''::text
                 END) || '}}'::text)]) AS text
            FROM argument a
         UNION ALL
          SELECT o.id,
             1000,
             api.object_text(VARIADIC ARRAY['name'::text, '"If-None-Match"'::text, 'in'::text, '"header"'::text, 'description'::text, '"The ETag that you have. If the record still has it, the response is 304 without a body."'::text, 'schema'::text, '{"type":"string"}'::text]) AS object_text
            FROM api.operations() o(id, method, path, scope, function, arguments, tag, summary, description, request, rule, answer, form, statuses, headers, problems, parameters, examples)
           WHERE ((o.method = 'GET'::text) AND ('ETag'::text = ANY (o.headers)))
         )
  SELECT p.operation_id,
     (('['::text || string_agg(p.text, ','::text ORDER BY p."position")) || ']'::text)
    FROM parameter p
   GROUP BY p.operation_id;
END;

ALTER FUNCTION api.operation_parameters() OWNER TO leads_exec;

COMMENT ON FUNCTION api.operation_parameters() IS 'The parameters of each operation that has any, as a JSON array: from the names, types and defaults of the arguments.';

CREATE FUNCTION api.operation_problems() RETURNS TABLE(operation_id text, status integer, name text, response text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 WITH failure AS (
          SELECT o.id AS operation_id,
             p.status,
             p.code,
             p.title,
             p.detail,
             f_1.field,
             f_1.field_code,
             f_1.field_detail
            FROM ((api.operations() o(id, method, path, scope, function, arguments, tag, summary, description, request, rule, answer, form, statuses, headers, problems, parameters, examples)
              JOIN api.problem p ON (((p.code = ANY (o.problems)) AND (p.raised_by = p.code))))
              LEFT JOIN LATERAL ( SELECT x.field,
                     x.field_code,
                     x.detail AS field_detail
                    FROM (api.problem x
                      LEFT JOIN pg_attribute a ON (((a.attrelid = (to_regclass(o.request))::oid) AND (a.attnum > 0) AND (a.attname = x.field))))
                   WHERE ((x.code = p.code) AND
                         CASE p.status
                             WHEN 422 THEN (a.attnum IS NOT NULL)
                             ELSE (x.field = ANY (o.arguments))
                         END)
                   ORDER BY a.attnum, x.raised_by
                  LIMIT 1) f_1 ON (true))
         )
  SELECT f.operation_id,
     f.status,
     (api.schema_name(string_agg(f.code, '_or_'::text ORDER BY f.code)) || COALESCE(('In'::text || api.schema_name(string_agg(DISTINCT f.field, '_and_'::text))), ''::text)),
     api.object_text(VARIADIC ARRAY['description'::text, api.json_text(string_agg(format('`%s`: %s'::text, f.code, f.detail), '

'::text ORDER BY f.code)), 'headers'::text, api.object_text(VARIADIC ARRAY['X-Request-Id'::text, '{"$ref":"#/components/headers/X-Request-Id"}'::text, 'WWW-Authenticate'::text,
         CASE f.status
             WHEN 401 THEN '{"$ref":"#/components/headers/WWW-Authenticate"}'::text
             ELSE NULL::text
         END, 'Retry-After'::text,
         CASE f.status
             WHEN 503 THEN '{"$ref":"#/components/headers/Retry-After"}'::text
             ELSE NULL::text
         END]), 'content'::text, api.object_text(VARIADIC ARRAY['application/problem+json'::text, api.object_text(VARIADIC ARRAY['schema'::text, (('{"$ref":"#/components/schemas/Problem","properties":{"code":{"enum":['::text || string_agg(api.json_text(f.code), ','::text ORDER BY f.code)) || ']}}}'::text), 'examples'::text, (('{'::text || string_agg((((api.json_text(f.code) || ':{"value":'::text) || api.object_text(VARIADIC ARRAY['type'::text, api.json_text(('/docs#'::text || f.code)), 'title'::text, api.json_text(f.title), 'status'::text, (f.status)::text, 'detail'::text, api.json_text(f.detail), 'code'::text, api.json_text(f.code), 'errors'::text, COALESCE((((((('[{"field":'::text || api.json_text(f.field)) || ',"code":'::text) || api.json_text(f.field_code)) || ',"detail":'::text) || api.json_text(f.field_detail)) || '}]'::text), '[]'::text), 'request_id'::text, '"4f6c1c0e8d3b4a8c9a35c8f2b1d7e640"'::text])) || '}'::text), ','::text ORDER BY f.code)) || '}'::text)])])]) AS object_text
    FROM failure f
   GROUP BY f.operation_id, f.status;
END;

ALTER FUNCTION api.operation_problems() OWNER TO leads_exec;

COMMENT ON FUNCTION api.operation_problems() IS 'The error responses of each operation, a row for each status.

name: of the shared response in components/responses: the codes, and the fields that its examples name. response: the
shared response itself.';

CREATE FUNCTION app.page_answer(items text[], page_size integer) RETURNS api.answer
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_cursor text := app.next_cursor(page_answer.items, page_answer.page_size);
begin
  return app.page(page_answer.items, page_answer.page_size, v_cursor);
end $$;

ALTER FUNCTION app.page_answer(items text[], page_size integer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.page_answer(items text[], page_size integer) IS 'The answer {"data": […], "next_cursor": …}.

items: the rows as JSON, in order; one more than page_size if there is a next page.';

CREATE FUNCTION api.operation_successes() RETURNS TABLE(operation_id text, status integer, response text, schema_name text, schema text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 WITH operation AS (
          SELECT o.id,
             o.method,
             o.path,
             o.form,
             o.statuses,
             o.headers,
             o.examples,
             ('cursor'::text = ANY (o.arguments)) AS is_paged,
             ('idempotency_key'::text = ANY (o.arguments)) AS is_repeatable,
             (EXISTS ( SELECT
                    FROM pg_attribute a
                   WHERE ((a.attrelid = (to_regclass(o.answer))::oid) AND (a.attname = 'id'::name) AND (o.form = 'object'::text)))) AS has_id,
             (s.example)::text AS example,
             COALESCE(api.schema_reference(o.answer), '{}'::text) AS item,
             ((regexp_replace(o.answer, '_item$'::text, ''::text) ||
                 CASE
                     WHEN (to_regclass((o.answer || '_item'::text)) IS NOT NULL) THEN '_whole'::text
                     ELSE ''::text
                 END) ||
                 CASE o.form
                     WHEN 'page'::text THEN '_page'::text
                     ELSE '_list'::text
                 END) AS schema_name
            FROM (api.operations() o(id, method, path, scope, function, arguments, tag, summary, description, request, rule, answer, form, statuses, headers, problems, parameters, examples)
              LEFT JOIN api.shape s ON ((s.type = o.answer)))
         ), content AS (
          SELECT o.id,
             o.method,
             o.path,
             o.form,
             o.statuses,
             o.headers,
             o.examples,
             o.is_paged,
             o.is_repeatable,
             o.has_id,
             o.example,
             o.item,
             o.schema_name,
                 CASE o.form
                     WHEN 'page'::text THEN api.object_text(VARIADIC ARRAY['type'::text, '"object"'::text, 'description'::text, '"One page of a list."'::text, 'required'::text, '["data","next_cursor"]'::text, 'properties'::text, api.object_text(VARIADIC ARRAY['data'::text, (('{"type":"array","description":"The rows of the page.","items":'::text || o.item) || '}'::text), 'next_cursor'::text, '{"type":["string","null"],"description":"The cursor of the next page; null on the last page."}'::text]), 'additionalProperties'::text, 'false'::text])
                     ELSE api.object_text(VARIADIC ARRAY['type'::text, '"object"'::text, 'description'::text, '"A list."'::text, 'required'::text, '["data"]'::text, 'properties'::text, (('{"data":{"type":"array","description":"The rows of the list.","items":'::text || o.item) || '}}'::text), 'additionalProperties'::text, 'false'::text])
                 END AS listing,
                 CASE o.form
                     WHEN 'page'::text THEN (app.page_answer(array_fill(o.example, ARRAY[
                     CASE
                         WHEN o.is_paged THEN 2
                         ELSE 1
                     END]), 1)).body
                     WHEN 'list'::text THEN (('{"data":['::text || o.example) || ']}'::text)
                     ELSE o.example
                 END AS form_example
            FROM operation o
         )
  SELECT c.id,
     s.status,
     api.object_text(VARIADIC ARRAY['description'::text,
         CASE s.status
             WHEN 201 THEN '"Created."'::text
             WHEN 202 THEN '"Accepted: not finished yet."'::text
             ELSE '"OK."'::text
         END, 'headers'::text, ( SELECT (('{'::text || string_agg((api.json_text(h.name) || format(':{"$ref":"#/components/headers/%s"}'::text, h.name)), ','::text ORDER BY h."position")) || '}'::text)
            FROM unnest((((ARRAY['X-Request-Id'::text] ||
                 CASE s.status
                     WHEN 202 THEN ARRAY['Retry-After'::text]
                     ELSE c.headers
                 END) ||
                 CASE
                     WHEN ((c.form = 'page'::text) AND c.is_paged) THEN ARRAY['Link'::text]
                     ELSE NULL::text[]
                 END) ||
                 CASE
                     WHEN (c.is_repeatable AND (s.status <> 202)) THEN ARRAY['Idempotency-Replayed'::text]
                     ELSE NULL::text[]
                 END)) WITH ORDINALITY h(name, "position")), 'content'::text,
         CASE
             WHEN (c.form = 'export'::text) THEN format('{"application/x-ndjson":{"schema":{"anyOf":[%s,{"$ref":"#/components/schemas/ExportEnd"}]},"example":%s},"text/csv":{"schema":{"type":"string"}}}'::text, c.item, c.example)
             ELSE (('{"application/json":'::text || api.object_text(VARIADIC ARRAY['schema'::text,
             CASE
                 WHEN (c.form = 'object'::text) THEN c.item
                 WHEN (c.form = 'one_or_list'::text) THEN format('{"anyOf":[%s,%s]}'::text, c.item, COALESCE(api.schema_reference(c.schema_name), c.listing))
                 ELSE COALESCE(api.schema_reference(c.schema_name), c.listing)
             END, 'example'::text, COALESCE(((c.examples -> (s.status)::text))::text, c.form_example)])) || '}'::text)
         END, 'links'::text, ( SELECT (('{'::text || string_agg(((api.json_text(l.name) || ':'::text) || l.link), ','::text ORDER BY l.name)) || '}'::text)
            FROM ( SELECT n.id AS name,
                     format('{"operationId":"%s","parameters":{"id":"$response.body#/id"}}'::text, n.id) AS link
                    FROM operation n
                   WHERE ((s.status = 201) AND c.has_id AND starts_with(n.path, (c.path || '/{id}'::text)))
                 UNION ALL
                  SELECT 'next_page'::text,
                     format('{"operationId":"%s","parameters":{"cursor":"$response.body#/next_cursor"}}'::text, c.id) AS format
                   WHERE ((c.form = 'page'::text) AND c.is_paged)) l)]) AS object_text,
         CASE
             WHEN (c.form <> ALL (ARRAY['object'::text, 'export'::text])) THEN c.schema_name
             ELSE NULL::text
         END AS "case",
         CASE
             WHEN ((c.form <> ALL (ARRAY['object'::text, 'export'::text])) AND (c.schema_name IS NOT NULL)) THEN c.listing
             ELSE NULL::text
         END AS "case"
    FROM (content c
      CROSS JOIN LATERAL unnest(c.statuses) s(status))
 UNION ALL
  SELECT c.id,
     304,
     api.object_text(VARIADIC ARRAY['description'::text, '"Not modified: the record still has the tag in If-None-Match. There is no body."'::text, 'headers'::text, '{"ETag":{"$ref":"#/components/headers/ETag"}}'::text]) AS object_text,
     NULL::text,
     NULL::text
    FROM content c
   WHERE ((c.method = 'GET'::text) AND ('ETag'::text = ANY (c.headers)));
END;

ALTER FUNCTION api.operation_successes() OWNER TO leads_exec;

COMMENT ON FUNCTION api.operation_successes() IS 'The responses for success of each operation, a row for each status, and 304 where the response has an ETag.

schema_name, schema: the schema of a page or a list, with its name as api.schema_name takes it. Null: the response is described by its type.';

CREATE TABLE api.tag (
    name text NOT NULL,
    "position" integer NOT NULL,
    description text NOT NULL
);

ALTER TABLE api.tag OWNER TO leads_owner;

COMMENT ON TABLE api.tag IS 'The chapters of the reference.';

COMMENT ON COLUMN api.tag.name IS 'The title of the chapter.';

COMMENT ON COLUMN api.tag."position" IS 'The position of the chapter, from 1.';

COMMENT ON COLUMN api.tag.description IS 'The description of the chapter, in Markdown.';

CREATE FUNCTION api.openapi_paths() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 WITH response AS (
          SELECT s.operation_id,
             (s.status)::text AS status,
             s.response
            FROM api.operation_successes() s(operation_id, status, response, schema_name, schema)
         UNION ALL
          SELECT p_1.operation_id,
             (p_1.status)::text AS status,
             format('{"$ref":"#/components/responses/%s"}'::text, p_1.name) AS format
            FROM api.operation_problems() p_1(operation_id, status, name, response)
         ), responses AS (
          SELECT r.operation_id,
             (('{'::text || string_agg(((api.json_text(r.status) || ':'::text) || r.response), ','::text ORDER BY r.status)) || '}'::text) AS text
            FROM response r
           GROUP BY r.operation_id
         ), operation AS (
          SELECT o.path,
             COALESCE(t."position", 1000) AS tag_position,
             array_position(ARRAY['GET'::text, 'POST'::text, 'PUT'::text, 'PATCH'::text, 'DELETE'::text], o.method) AS method_position,
             ((api.json_text(lower(o.method)) || ':'::text) || api.object_text(VARIADIC ARRAY['operationId'::text, api.json_text(o.id), 'tags'::text, (('['::text || api.json_text(o.tag)) || ']'::text), 'summary'::text, api.json_text(o.summary), 'description'::text, api.json_text(concat_ws('

'::text, o.description,
                 CASE
                     WHEN (o.scope IS NULL) THEN 'No key is needed.'::text
                     ELSE format('Scope: `%s`.'::text, o.scope)
                 END)), 'security'::text, (('['::text || COALESCE(format('{"key":["%s"]}'::text, o.scope), ''::text)) || ']'::text), 'parameters'::text, p_1.parameters, 'requestBody'::text, b.body, 'responses'::text, r.text])) AS text
            FROM ((((api.operations() o(id, method, path, scope, function, arguments, tag, summary, description, request, rule, answer, form, statuses, headers, problems, parameters, examples)
              JOIN responses r ON ((r.operation_id = o.id)))
              LEFT JOIN api.operation_parameters() p_1(operation_id, parameters) ON ((p_1.operation_id = o.id)))
              LEFT JOIN api.operation_bodies() b(operation_id, body, schema_name, schema) ON ((b.operation_id = o.id)))
              LEFT JOIN api.tag t ON ((t.name = o.tag)))
         ), path AS (
          SELECT min(o.tag_position) AS tag_position,
             o.path,
             (((api.json_text(o.path) || ':{'::text) || string_agg(o.text, ','::text ORDER BY o.method_position)) || '}'::text) AS text
            FROM operation o
           GROUP BY o.path
         )
  SELECT (('{'::text || COALESCE(string_agg(p.text, ','::text ORDER BY p.tag_position, (p.path COLLATE "C")), ''::text)) || '}'::text)
    FROM path p;
END;

ALTER FUNCTION api.openapi_paths() OWNER TO leads_exec;

COMMENT ON FUNCTION api.openapi_paths() IS 'The paths, as JSON text, in the order of the chapters and then of the addresses.';

CREATE FUNCTION api.type_schema(type text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 WITH shape AS (
          SELECT t.oid,
             t.typrelid,
             s_1.relation,
             COALESCE(s_1.never_null, '{}'::text[]) AS never_null,
             s_1.fields,
             s_1.example,
             (t.typname ~~ '%\_input'::text) AS is_input
            FROM (pg_type t
              LEFT JOIN api.shape s_1 ON ((s_1.type = type_schema.type)))
           WHERE (t.oid = (to_regtype(type_schema.type))::oid)
         ), field AS (
          SELECT a.attname AS name,
             a.attnum AS "position",
             ((NOT s_1.is_input) OR (a.attname = ANY (s_1.never_null))) AS is_required,
             ('"description":'::text || api.json_text(d.text)) AS description,
             (json_strip_nulls((s_1.fields -> (a.attname)::text)))::text AS schema,
             api.value_schema(a.atttypid, (ARRAY( SELECT pg_get_constraintdef(k.oid) AS pg_get_constraintdef
                    FROM pg_constraint k
                   WHERE ((k.conrelid = c.attrelid) AND (k.contype = 'c'::"char") AND (k.conkey = ARRAY[c.attnum]))
                   ORDER BY k.conname) || ARRAY( SELECT 'app.is_name('::text
                    FROM pg_constraint k
                   WHERE ((k.conrelid = c.attrelid) AND (k.contype = 'f'::"char") AND (c.attnum = ANY (k.conkey)) AND (c.attname <> 'organization_id'::name) AND (c.atttypid = ('text'::regtype)::oid)))), (NOT (COALESCE(c.attnotnull, false) OR (a.attname = ANY (s_1.never_null)))), s_1.is_input, ('"description":'::text || api.json_text(d.text))) AS derived_schema
            FROM (((shape s_1
              JOIN pg_attribute a ON (((a.attrelid = s_1.typrelid) AND (a.attnum > 0) AND (NOT a.attisdropped))))
              LEFT JOIN pg_attribute c ON (((c.attrelid = (to_regclass(s_1.relation))::oid) AND (c.attname = a.attname) AND (NOT c.attisdropped))))
              CROSS JOIN LATERAL ( SELECT COALESCE(col_description(a.attrelid, (a.attnum)::integer), col_description(c.attrelid, (c.attnum)::integer)) AS text) d)
         )
  SELECT api.object_text(VARIADIC ARRAY['type'::text, '"object"'::text, 'description'::text, api.json_text(obj_description(s.oid, 'pg_type'::name)), 'required'::text, ( SELECT (('['::text || string_agg(api.json_text((f.name)::text), ','::text ORDER BY f."position")) || ']'::text)
            FROM field f
           WHERE f.is_required), 'properties'::text, ( SELECT (('{'::text || string_agg(((api.json_text((f.name)::text) || ':'::text) || COALESCE(("left"(f.schema, '-1'::integer) || concat((','::text || f.description), '}')), f.derived_schema)), ','::text ORDER BY f."position")) || '}'::text)
            FROM field f), 'additionalProperties'::text, 'false'::text, 'examples'::text, (('['::text || s.example) || ']'::text)]) AS object_text
    FROM shape s;
END;

ALTER FUNCTION api.type_schema(type text) OWNER TO leads_exec;

COMMENT ON FUNCTION api.type_schema(type text) IS 'The JSON Schema (2020-12) of a composite type, as text. Null if there is no such type.

The fields are the attributes of the type, with their comments, and with the constraints on the columns of the table that
api.shape names for the type. An attribute without a comment has that of the column. Types whose names end with _input describe requests.';

CREATE TABLE api.named_schema (
    name text NOT NULL,
    schema json NOT NULL,
    CONSTRAINT named_schema_name_is_camel_case CHECK ((name ~ '^[A-Z][A-Za-z0-9]*$'::text)),
    CONSTRAINT named_schema_schema_is_an_object CHECK ((json_typeof(schema) = 'object'::text))
);

ALTER TABLE api.named_schema OWNER TO leads_owner;

COMMENT ON TABLE api.named_schema IS 'The JSON Schemas of JSON values that no type of schema api describes.';

COMMENT ON COLUMN api.named_schema.name IS 'The name of the schema in the reference.';

COMMENT ON COLUMN api.named_schema.schema IS 'The JSON Schema (2020-12).';

CREATE FUNCTION api.openapi_schemas() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 WITH RECURSIVE type AS (
          SELECT t.oid,
             t.typrelid
            FROM ((api.operations() o(id, method, path, scope, function, arguments, tag, summary, description, request, rule, answer, form, statuses, headers, problems, parameters, examples)
              CROSS JOIN LATERAL ( VALUES (o.answer), (o.request)) n(name))
              JOIN pg_type t ON ((t.oid = (to_regtype(n.name))::oid)))
         UNION
          SELECT i.oid,
             i.typrelid
            FROM (((type u
              JOIN pg_attribute a ON (((a.attrelid = u.typrelid) AND (a.attnum > 0) AND (NOT a.attisdropped))))
              JOIN pg_type f ON ((f.oid = a.atttypid)))
              JOIN pg_type i ON (((i.oid = COALESCE(NULLIF(f.typelem, (0)::oid), f.oid)) AND (i.typtype = 'c'::"char"))))
         ), schema AS (
          SELECT api.schema_name(n.name) AS name,
             api.type_schema(n.name) AS text
            FROM (type u
              CROSS JOIN LATERAL ( SELECT ((u.oid)::regtype)::text AS oid) n(name))
         UNION
          SELECT api.schema_name(s_1.schema_name) AS schema_name,
             s_1.schema
            FROM api.operation_successes() s_1(operation_id, status, response, schema_name, schema)
           WHERE (s_1.schema IS NOT NULL)
         UNION
          SELECT api.schema_name(b.schema_name) AS schema_name,
             b.schema
            FROM api.operation_bodies() b(operation_id, body, schema_name, schema)
           WHERE (b.schema IS NOT NULL)
         UNION
          SELECT n.name,
             (json_strip_nulls(n.schema))::text AS json_strip_nulls
            FROM api.named_schema n
         UNION
          SELECT 'ProblemCode'::text,
             api.object_text(VARIADIC ARRAY['type'::text, '"string"'::text, 'description'::text, '"The codes of all errors. The guide explains each."'::text, 'enum'::text, ( SELECT (json_agg(c.code ORDER BY c.code))::text AS json_agg
                    FROM ( SELECT DISTINCT p.code
                            FROM api.problem p) c)]) AS object_text
         )
  SELECT (('{'::text || string_agg(((api.json_text(s.name) || ':'::text) || s.text), ','::text ORDER BY (s.name COLLATE "C"))) || '}'::text)
    FROM schema s;
END;

ALTER FUNCTION api.openapi_schemas() OWNER TO leads_exec;

COMMENT ON FUNCTION api.openapi_schemas() IS 'The schemas, as JSON text: of the types that requests and answers show and of those inside them, of pages and lists, of
the bodies with a rule, of api.named_schema, and ProblemCode.';

CREATE FUNCTION api.openapi() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    BEGIN ATOMIC
 SELECT api.object_text(VARIADIC ARRAY['openapi'::text, '"3.1.0"'::text, 'info'::text, api.openapi_info(), 'servers'::text, '[{"url":"/api/v1"}]'::text, 'tags'::text, ( SELECT (('['::text || COALESCE(string_agg(api.object_text(VARIADIC ARRAY['name'::text, api.json_text(t.name), 'description'::text, api.json_text(t.description)]), ','::text ORDER BY t."position"), ''::text)) || ']'::text)
            FROM api.tag t), 'paths'::text, api.openapi_paths(), 'components'::text, api.object_text(VARIADIC ARRAY['securitySchemes'::text, (('{"key":'::text || api.object_text(VARIADIC ARRAY['type'::text, '"http"'::text, 'scheme'::text, '"bearer"'::text, 'bearerFormat'::text, '"lk_…"'::text, 'description'::text, api.json_text('A key of one organization. Its scope is read, write or admin; write includes read, and admin includes write.'::text)])) || '}'::text), 'headers'::text, api.openapi_headers(), 'responses'::text, ( SELECT (('{'::text || COALESCE(string_agg(((api.json_text(p.name) || ':'::text) || p.response), ','::text ORDER BY p.name), ''::text)) || '}'::text)
            FROM ( SELECT DISTINCT ON (p_1.name) p_1.name,
                     p_1.response
                    FROM api.operation_problems() p_1(operation_id, status, name, response)
                   ORDER BY p_1.name, p_1.response) p), 'schemas'::text, api.openapi_schemas()])]) AS object_text;
END;

ALTER FUNCTION api.openapi() OWNER TO leads_exec;

COMMENT ON FUNCTION api.openapi() IS 'The OpenAPI document, as JSON text (https://spec.openapis.org/oas/v3.1.0).

It is made from the routes, the signatures and comments of their functions, the constraints on what they accept and
return, and the rows of api.operation. It leaves out a route whose function the login may not execute.';

CREATE FUNCTION api.preflight_form(request_headers text) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.organization_id('form');
  v_origins text[];
begin
  select f.origins into v_origins
  from intake.form as f
  where f.organization_id = v_organization_id and f.key_id = auth.key_id();
  return row(
    200,
    json_strip_nulls(json_build_object(
      'Access-Control-Allow-Origin', intake.allowed_origin(v_origins, preflight_form.request_headers::jsonb),
      'Access-Control-Allow-Methods', 'POST',
      'Access-Control-Allow-Headers', 'Content-Type',
      'Access-Control-Max-Age', '600',
      'Vary', 'Origin'
    )),
    null::text
  );
end $$;

ALTER FUNCTION api.preflight_form(request_headers text) OWNER TO leads_intake;

COMMENT ON FUNCTION api.preflight_form(request_headers text) IS 'Whether a page of another origin may send to the form, as a browser asks it before it sends JSON (Fetch standard, section "CORS-preflight fetch").';

CREATE FUNCTION app.lead_field_rule(kind text, max_length integer, is_nullable boolean) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (('This must be '::text ||
         CASE kind
             WHEN 'text'::text THEN format('a text of 1 to %s characters'::text, ltrim(to_char(max_length, '999,999,999'::text)))
             WHEN 'email'::text THEN 'an e-mail address such as ada@example.com (a domain with a dot)'::text
             WHEN 'name'::text THEN format('1 to %s characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9'::text, max_length)
             WHEN 'score'::text THEN 'a whole number from 0 to 100'::text
             WHEN 'stage'::text THEN 'one of the organization''s pipeline stages'::text
             WHEN 'phone'::text THEN format('a phone number with 3 to 20 digits, of at most %s characters'::text, max_length)
             WHEN 'details'::text THEN 'an object whose values are texts, numbers, true or false'::text
             ELSE NULL::text
         END) ||
         CASE
             WHEN is_nullable THEN ', or null.'::text
             ELSE '.'::text
         END);
END;

ALTER FUNCTION app.lead_field_rule(kind text, max_length integer, is_nullable boolean) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_field_rule(kind text, max_length integer, is_nullable boolean) IS 'The detail of a fault of a lead''s field, as an English sentence.

kind, max_length, is_nullable: as in app.lead_field.';

CREATE TABLE app.lead_field (
    name text NOT NULL,
    kind text NOT NULL,
    max_length integer,
    is_nullable boolean NOT NULL,
    is_detail boolean DEFAULT false NOT NULL,
    CONSTRAINT lead_field_kind_is_known CHECK ((kind = ANY (ARRAY['text'::text, 'email'::text, 'name'::text, 'score'::text, 'stage'::text, 'phone'::text, 'details'::text]))),
    CONSTRAINT lead_field_text_has_a_limit CHECK (((kind = ANY (ARRAY['text'::text, 'email'::text, 'name'::text, 'phone'::text])) = (max_length IS NOT NULL)))
);

ALTER TABLE app.lead_field OWNER TO leads_owner;

COMMENT ON TABLE app.lead_field IS 'The fields of a lead that a client can send, with their rules for app.lead_faults.';

COMMENT ON COLUMN app.lead_field.name IS 'The field, which is a column of app.lead.';

COMMENT ON COLUMN app.lead_field.kind IS 'text: a text; email: an e-mail address; name: a machine name; score: a whole number from 0 to 100; stage: a pipeline stage of the organization; phone: a phone number; details: an object of texts, numbers and booleans.';

COMMENT ON COLUMN app.lead_field.max_length IS 'The maximum number of characters; null: the kind has no limit.';

COMMENT ON COLUMN app.lead_field.is_nullable IS 'Whether the field can be null.';

COMMENT ON COLUMN app.lead_field.is_detail IS 'Whether PATCH /leads/{id}/details changes the field, and PATCH /leads/{id} does not.';

CREATE FUNCTION api.problems() RETURNS TABLE(raised_by text, status integer, code text, title text, detail text, field text, field_code text)
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT p.raised_by,
     p.status,
     p.code,
     p.title,
     p.detail,
     p.field,
     p.field_code
    FROM api.problem p
 UNION ALL
  SELECT c.conname,
     422,
     'validation_failed'::text,
     'Validation failed'::text,
     app.lead_field_rule(f.kind, f.max_length, f.is_nullable) AS lead_field_rule,
     f.name,
         CASE f.kind
             WHEN 'text'::text THEN 'too_long'::text
             WHEN 'score'::text THEN 'out_of_range'::text
             WHEN 'stage'::text THEN 'unknown_stage'::text
             ELSE ('invalid_'::text || f.kind)
         END AS "case"
    FROM ((app.lead_field f
      JOIN pg_attribute a ON (((a.attrelid = ('app.lead'::regclass)::oid) AND (a.attname = f.name))))
      JOIN pg_constraint c ON (((c.conrelid = a.attrelid) AND (((c.contype = 'c'::"char") AND (c.conkey = ARRAY[a.attnum])) OR ((c.contype = 'f'::"char") AND (a.attnum = ANY (c.conkey)))))))
  ORDER BY 1;
END;

ALTER FUNCTION api.problems() OWNER TO leads_exec;

COMMENT ON FUNCTION api.problems() IS 'The rows of api.problem, and one row for each constraint on a field of a lead.';

CREATE FUNCTION api.push_lead(id uuid, idempotency_key api.idempotency_key DEFAULT NULL::text, idempotency_wait integer DEFAULT 5000) RETURNS api.answer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION api.push_lead(id uuid, idempotency_key api.idempotency_key, idempotency_wait integer) OWNER TO leads_exec;

COMMENT ON FUNCTION api.push_lead(id uuid, idempotency_key api.idempotency_key, idempotency_wait integer) IS 'Push a lead to the CRM.

Use this if the automatic push at the change of the stage failed or was skipped. If the lead already has a record, the
response has the same external_id, and the CRM is not called. Otherwise the push begins, and the API waits up to 10
seconds for the result: 200 with the external_id, or 202 with the status pending while the push continues (Retry-After
says when to ask again). 502 crm_rejected has the reason of the CRM. If the outcome of an earlier push is unknown,
nothing is sent, and the response is 409 crm_outcome_unknown until an operator has checked the CRM. A body is ignored.';

CREATE FUNCTION api.read_instant(value text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_instant timestamptz := app.read_instant(read_instant.value);
begin
  if v_instant is null then
    raise check_violation using constraint = 'instant_is_date_or_has_offset';
  end if;
  return v_instant;
end $$;

ALTER FUNCTION api.read_instant(value text) OWNER TO leads_exec;

COMMENT ON FUNCTION api.read_instant(value text) IS 'The time in a text, as app.read_instant reads it.

Raises check_violation with the constraint instant_is_date_or_has_offset, as a domain does, if the text is no time. Null for
null.';

CREATE FUNCTION api.routes() RETURNS TABLE(method text, path text, function text, scope text, is_read_only boolean, arguments json, wait_seconds integer, wait_function text, wait_arguments text[], media_types text[], max_body_bytes integer, timeout_seconds integer, is_streamed boolean, key_parameter text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT r.method,
     r.path,
     r.function,
     r.scope,
     (f.provolatile <> 'v'::"char"),
     ( SELECT json_agg(json_build_object('name', a.name, 'type', format_type(a.type, NULL::integer), 'base_type', format_type(COALESCE(NULLIF(t.typbasetype, (0)::oid), t.oid), NULL::integer), 'default', api.default_text(f.oid, (a."position")::integer)) ORDER BY a."position") AS json_agg
            FROM (UNNEST((f.proargtypes)::oid[], f.proargnames[:f.pronargs]) WITH ORDINALITY a(type, name, "position")
              JOIN pg_type t ON ((t.oid = a.type)))) AS json_agg,
     r.wait_seconds,
     r.wait_function,
         CASE
             WHEN (w.provolatile <> 'v'::"char") THEN w.proargnames[:w.pronargs]
             ELSE NULL::text[]
         END AS "case",
     r.media_types,
     r.max_body_bytes,
     r.timeout_seconds,
     r.is_streamed,
     r.key_parameter
    FROM ((api.route r
      LEFT JOIN pg_proc f ON (((f.oid = (
         CASE
             WHEN (r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$'::text) THEN to_regproc(r.function)
             ELSE NULL::regproc
         END)::oid) AND (f.prorettype = ('api.answer'::regtype)::oid) AND has_function_privilege(SESSION_USER, f.oid, 'execute'::text))))
      LEFT JOIN pg_proc w ON (((w.oid = (
         CASE
             WHEN (r.wait_function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$'::text) THEN to_regproc(r.wait_function)
             ELSE NULL::regproc
         END)::oid) AND (w.prorettype = ('api.answer'::regtype)::oid) AND has_function_privilege(SESSION_USER, w.oid, 'execute'::text))))
   ORDER BY r.path, r.method;
END;

ALTER FUNCTION api.routes() OWNER TO leads_exec;

COMMENT ON FUNCTION api.routes() IS 'The routes.

is_read_only and arguments are null if there is no single function of that name that returns api.answer and that the login
may execute. arguments: name, type, base_type (the type under a domain) and default (as text, or null), in order.
wait_arguments: the names of the arguments of wait_function. Null if there is no such function, or if it can write. The other
columns are those of api.route.';

CREATE FUNCTION api.score_lead(id uuid, idempotency_key api.idempotency_key DEFAULT NULL::text, idempotency_wait integer DEFAULT 5000) RETURNS api.answer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION api.score_lead(id uuid, idempotency_key api.idempotency_key, idempotency_wait integer) OWNER TO leads_exec;

COMMENT ON FUNCTION api.score_lead(id uuid, idempotency_key api.idempotency_key, idempotency_wait integer) IS 'Score a lead.

The organization''s scoring model, or the default model, computes the score from the latest signal of each type. The API
writes lead_score and ai_reasoning: the reasons with their contributions, strongest first. They stay until the next
score, or until someone changes them. The history keeps each score, and the audit log records lead.scored. A body is
ignored.';

CREATE FUNCTION api.session_faults() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT format('The login "%s" is a superuser, so row-level security doesn''t apply.'::text, r.rolname) AS format
    FROM pg_roles r
   WHERE ((r.rolname = SESSION_USER) AND r.rolsuper)
 UNION ALL
  SELECT format('The login "%s" has BYPASSRLS, so row-level security doesn''t apply.'::text, r.rolname) AS format
    FROM pg_roles r
   WHERE ((r.rolname = SESSION_USER) AND r.rolbypassrls AND (NOT r.rolsuper))
 UNION ALL
  SELECT format('The login "%s" is a member of %s, which owns objects.'::text, SESSION_USER, o.rolname) AS format
    FROM (auth.roles() e(name, kind, definer_schemas)
      JOIN pg_roles o ON ((o.rolname = e.name)))
   WHERE ((e.kind = ANY (ARRAY['owner'::text, 'sealed'::text])) AND pg_has_role(SESSION_USER, o.oid, 'member'::text) AND (NOT (EXISTS ( SELECT
            FROM pg_roles s
           WHERE ((s.rolname = SESSION_USER) AND s.rolsuper)))));
END;

ALTER FUNCTION api.session_faults() OWNER TO leads_exec;

COMMENT ON FUNCTION api.session_faults() IS 'A sentence for each reason why the login must not serve requests; no row if it may.

The reasons: it is a superuser, it has BYPASSRLS, or it is a member of a role that owns objects.';

CREATE FUNCTION api.submit_form(payload text, media_type text, request_headers text, client_address text DEFAULT NULL::text, query_fields text DEFAULT NULL::text) RETURNS api.answer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.organization_id('form');
  v_headers jsonb := submit_form.request_headers::jsonb;
  v_origin text := submit_form.request_headers::jsonb ->> 'origin';
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_content jsonb;
  v_digest bytea;
  v_earlier record;
  v_secret bytea;
  v_form record;
  v_pause interval;
  v_draft jsonb;
  v_fault jsonb;
  v_event bytea;
  v_id uuid := app.new_id();
  v_made record;
begin
  select
    f.id, f.origins, f.redirect_url, f.requests_per_minute, f.credential, p.signature
  into v_form
  from intake.form as f
  left join intake.preset as p on p.name = f.preset
  where f.organization_id = v_organization_id and f.key_id = auth.key_id();
  if not found then
    raise sqlstate 'PT401' using message = 'unauthorized';
  end if;

  v_pause := interval '1 minute' / v_form.requests_per_minute;
  insert into intake.client as c (organization_id, form_id, address, free_at)
  -- Clients without an address, behind a proxy's socket file, have one limit together.
  values (
    v_organization_id, v_form.id, intake.client_network(coalesce(submit_form.client_address, '0.0.0.0')), v_now + v_pause
  )
  on conflict on constraint client_pkey do update
  set free_at = greatest(c.free_at, v_now) + v_pause
  where c.free_at <= v_now + interval '1 minute' - v_pause;
  if not found then
    raise sqlstate 'PT429' using
      message = 'rate_limited',
      hint = format(
        'This address may send %s requests per minute to the form. Try again in %s s.',
        v_form.requests_per_minute, ceil(extract(epoch from v_pause))
      ),
      -- The seconds for Retry-After.
      constraint = ceil(extract(epoch from v_pause))::text;
  end if;

  v_content := intake.content(submit_form.payload, submit_form.media_type, submit_form.query_fields);
  if v_form.signature is not null and v_form.credential is not null then
    v_secret := intake.encrypted(
      substr(v_form.credential, 17), decode(current_setting('leads.key_digest'), 'hex'), substr(v_form.credential, 1, 16)
    );
    v_fault := intake.signature_fault(v_form.signature, v_secret, v_headers, submit_form.payload, v_content);
  end if;
  if v_form.signature = 'google_key' then
    -- The sender's key, wherever it stands.
    v_content := coalesce(replace(
      (v_content #- '{body,google_key}')::text,
      btrim(to_jsonb(convert_from(v_secret, 'UTF8'))::text, '"'),
      '***'
    )::jsonb, v_content #- '{body,google_key}');
  end if;
  if v_fault is null and cardinality(v_form.origins) > 0 and v_origin <> all (v_form.origins) then
    v_fault := jsonb_build_object(
      'field', 'origin', 'code', 'wrong_origin', 'detail', format('The form does not accept the origin %s.', left(v_origin, 100))
    );
  end if;

  if v_fault is not null then
    -- What the sender says of itself, such as the id of the event, is not believed.
    insert into intake.submission (organization_id, id, form_id, outcome, content, faults)
    values (v_organization_id, v_id, v_form.id, 'kept', v_content, jsonb_build_array(v_fault));
    return intake.form_answer(v_form.redirect_url, v_form.origins, v_headers, submit_form.media_type);
  end if;
  begin
    v_draft := intake.draft(v_organization_id, v_form.id, v_content);
    v_event := sha256(convert_to(v_draft ->> 'event', 'UTF8'));
    v_digest := sha256(convert_to(v_content::text, 'UTF8'));
    insert into intake.submission (organization_id, id, form_id, event_digest, content_digest, outcome)
    values (v_organization_id, v_id, v_form.id, v_event, v_digest, 'received')
    on conflict on constraint submission_arrives_once do nothing;
    if not found then
      select s.id, s.outcome, s.content_digest = v_digest as is_same into v_earlier
      from intake.submission as s
      where s.organization_id = v_organization_id and s.form_id = v_form.id and s.event_digest = v_event
      for update;
      if v_earlier.is_same then
        return intake.form_answer(v_form.redirect_url, v_form.origins, v_headers, submit_form.media_type);
      end if;
      if v_earlier.outcome in ('kept', 'ignored') then
        -- The sender corrects what could not become a lead.
        update intake.submission as s
        set event_digest = null
        where s.organization_id = v_organization_id and s.id = v_earlier.id;
      else
        v_event := null;
        v_draft := v_draft || jsonb_build_object('is_lead', true, 'is_repeat', true);
      end if;
      insert into intake.submission (organization_id, id, form_id, event_digest, content_digest, outcome)
      values (v_organization_id, v_id, v_form.id, v_event, v_digest, 'received');
    end if;
    v_made := intake.make_lead(v_organization_id, v_form.id, v_draft);
    update intake.submission as s
    set
      outcome = v_made.outcome,
      lead_id = v_made.lead_id,
      content = case when v_made.faults <> '[]' then v_content end,
      faults = nullif(v_made.faults, '[]')
    where s.organization_id = v_organization_id and s.id = v_id;
  exception
    -- What nobody has foreseen is kept.
    when data_exception or integrity_constraint_violation or program_limit_exceeded then
      insert into intake.submission (organization_id, id, form_id, outcome, content, faults)
      values (v_organization_id, v_id, v_form.id, 'kept', v_content, jsonb_build_array(jsonb_build_object(
        'field', 'body', 'code', 'refused', 'detail', format('The form can''t read this (%s).', sqlstate)
      )));
  end;
  return intake.form_answer(v_form.redirect_url, v_form.origins, v_headers, submit_form.media_type);
end $$;

ALTER FUNCTION api.submit_form(payload text, media_type text, request_headers text, client_address text, query_fields text) OWNER TO leads_intake;

COMMENT ON FUNCTION api.submit_form(payload text, media_type text, request_headers text, client_address text, query_fields text) IS 'Send something to a form.

The token in the path is the key. The body is JSON, or a form. What the form can''t make a lead of is kept for 30 days with its
faults. The response is the same for a new lead, a duplicate, spam and a submission that is kept. A sender that repeats an
event, with the id that its service gives, sends it once.';

CREATE FUNCTION api.update_lead(id uuid, body text, if_match api.entity_tags DEFAULT NULL::text, idempotency_key api.idempotency_key DEFAULT NULL::text, idempotency_wait integer DEFAULT 5000) RETURNS api.answer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  v_fields jsonb := app.read_object(update_lead.body);
  v_answer api.answer := case when update_lead.idempotency_key is not null then app.claim_idempotency_key(
    v_organization_id, update_lead.idempotency_key, update_lead.idempotency_wait,
    concat_ws(chr(10), 'PATCH /leads/' || update_lead.id, update_lead.if_match, update_lead.body)
  ) end;
  v_is_plain boolean;
  v_faults json;
  v_old app.lead_values;
  v_new app.lead_values;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  v_is_plain := not app.plain_lead(v_organization_id, v_fields, false) is null;
  if not v_is_plain then
    v_faults := app.lead_faults(v_organization_id, v_fields, false);
    if v_faults is not null then
      perform app.raise_faults(422, 'validation_failed', v_faults);
    end if;
  end if;

  -- Locked before the tag is compared: of ten that race with one tag, one wins.
  select l.* into v_old
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = update_lead.id
  for no key update;
  if not found then
    if update_lead.idempotency_key is null then
      return null;
    end if;
    -- Raised, so that the claim is rolled back.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;
  if not app.is_etag_matched(update_lead.if_match, app.lead_etag(v_old.revision)) then
    perform app.raise_precondition_failed(update_lead.if_match);
  end if;

  v_new := case when v_is_plain then jsonb_populate_record(v_old, v_fields) else app.lead_from(v_fields, v_old) end;
  if v_new.email is null and (v_new.name is null or v_new.company is null) then
    perform app.raise_faults(422, 'validation_failed', app.contact_fault(
      v_organization_id,
      v_new.name is not null and v_new.phone is not null,
      v_old.email is null and v_old.company is null
    ));
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
    perform crm.wake_worker(v_new.organization_id, v_new.id);
  end if;

  v_answer := row(
    200,
    json_build_object('ETag', app.lead_etag(v_new.revision)),
    row_to_json(app.lead_change(v_new))::text
  );
  if update_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, update_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end $$;

ALTER FUNCTION api.update_lead(id uuid, body text, if_match api.entity_tags, idempotency_key api.idempotency_key, idempotency_wait integer) OWNER TO leads_exec;

COMMENT ON FUNCTION api.update_lead(id uuid, body text, if_match api.entity_tags, idempotency_key api.idempotency_key, idempotency_wait integer) IS 'Change a lead.

The body is a JSON merge patch (RFC 7396): a field that you leave out keeps its value, and null clears it. pipeline_stage
and lead_score cannot be null. After the change the lead must still have the contact data that a new lead needs. A patch that
changes nothing writes nothing. With If-Match, the change is made only if the lead still has that tag; otherwise the
response is 412. A weak tag (W/) never matches. A repeat with the same Idempotency-Key and the same If-Match returns the
first response, although the tag has changed. The audit log records each change as lead.updated. PATCH /leads/{id}/details
changes phone, reference and details. The response has nine of the lead''s fields.';

CREATE FUNCTION api.update_lead_details(id uuid, body text, if_match api.entity_tags DEFAULT NULL::text, idempotency_key api.idempotency_key DEFAULT NULL::text, idempotency_wait integer DEFAULT 5000) RETURNS api.answer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := auth.entered_organization_id();
  v_fields jsonb := app.read_object(update_lead_details.body);
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, update_lead_details.idempotency_key, update_lead_details.idempotency_wait,
    concat_ws(
      chr(10), 'PATCH /leads/' || update_lead_details.id || '/details', update_lead_details.if_match,
      update_lead_details.body
    )
  );
  v_old app.lead_values;
  v_new app.lead_values;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;
  perform app.raise_faults(422, 'validation_failed', app.lead_faults(v_organization_id, v_fields, true));

  select l.* into v_old
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = update_lead_details.id
  for no key update;
  if not found then
    if update_lead_details.idempotency_key is null then
      return null;
    end if;
    -- Raised, so that the claim is rolled back.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;
  if not app.is_etag_matched(update_lead_details.if_match, app.lead_etag(v_old.revision)) then
    perform app.raise_precondition_failed(update_lead_details.if_match);
  end if;

  v_new := app.lead_from(v_fields, v_old);
  perform app.raise_faults(422, 'validation_failed', app.details_size_faults(v_new.details));
  if v_new.phone is null and v_new.email is null and v_new.company is null then
    perform app.raise_faults(422, 'validation_failed', app.contact_fault(v_organization_id, false, false));
  end if;

  if v_new is distinct from v_old then
    update app.lead as l
    set phone = v_new.phone, reference = v_new.reference, details = v_new.details
    where l.organization_id = v_organization_id and l.id = update_lead_details.id
    returning l.* into v_new;
  end if;

  v_answer := row(
    200,
    json_build_object('ETag', app.lead_etag(v_new.revision)),
    row_to_json(app.lead_details(v_new))::text
  );
  perform app.keep_answer(v_organization_id, update_lead_details.idempotency_key, v_answer);
  return v_answer;
end $$;

ALTER FUNCTION api.update_lead_details(id uuid, body text, if_match api.entity_tags, idempotency_key api.idempotency_key, idempotency_wait integer) OWNER TO leads_exec;

COMMENT ON FUNCTION api.update_lead_details(id uuid, body text, if_match api.entity_tags, idempotency_key api.idempotency_key, idempotency_wait integer) IS 'Change the details of a lead.

The body is a JSON merge patch (RFC 7396): a field that you leave out keeps its value, and null clears it. The same applies
to each member of details. A lead can have at most 50 details, and 16 KiB of them. The ETag is that of the lead. The audit
log records the change as lead.updated.';

CREATE FUNCTION api.verify_audit_log(after api.seal_position DEFAULT '0'::text, "limit" api.seal_count DEFAULT 1000, head api.chain_head DEFAULT NULL::text) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION api.verify_audit_log(after api.seal_position, "limit" api.seal_count, head api.chain_head) OWNER TO leads_exec;

COMMENT ON FUNCTION api.verify_audit_log(after api.seal_position, "limit" api.seal_count, head api.chain_head) IS 'Verify the audit log.

Within about a second, each event is sealed with a hash of itself and of all events before it. This request verifies up
to limit seals after a position, and returns the first event that does not match its seal. Repeat it with next_after
until next_after is null. Keep head in another system: if you send it later, the API detects a log that was truncated or
rewritten, even by a database administrator.';

CREATE FUNCTION app.ascii_email(value text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_local text;
  v_domain text;
begin
  -- The length is limited before the work.
  if octet_length(ascii_email.value) = char_length(ascii_email.value) or char_length(ascii_email.value) > 254 then
    return ascii_email.value;
  end if;
  v_local := substring(ascii_email.value from '^([\u0001-\u003F\u0041-\u007F]*)@[^@]*$');
  -- NFKC maps some of these to the Greek letter that ends a word, UTS 46 to the other sigma.
  if v_local is null or ascii_email.value collate "C" ~ '[\u03F2\U0001D400-\U0001D7FF]' then
    return ascii_email.value;
  end if;
  -- For the letters that are accepted below, UTS 46 (without transitional processing) is NFKC, lower
  -- case, and NFC. lower() depends on the locale. U+3002 is the full stop of Chinese and Japanese.
  v_domain := replace(normalize(substr(ascii_email.value, length(v_local) + 2), NFKC), U&'\3002', '.');
  v_domain := normalize(
    translate(
      lower(v_domain collate "C"),
      'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĴĶĹĻĽŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽƠƯǍǏǑǓ'
      'ǕǗǙǛǞǠǢǤǦǨǪǬǮǴǶǷǸǺǼǾȀȂȄȆȈȊȌȎȐȒȔȖȘȚȜȞȠȢȤȦȨȪȬȮȰȲͰͲͶͿΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫϏϘϚϜϞϠϢϤϦϨϪϬϮ'
      'ϷϺϽϾϿЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѶѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼ'
      'ҾӀӁӃӅӇӉӋӍӐӒӔӖӘӚӜӞӠӢӤӦӨӪӬӮӰӲӴӶӸӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖ՘'
      'ḀḂḄḆḈḊḌḎḐḒḔḖḘḚḜḞḠḢḤḦḨḪḬḮḰḲḴḶḸḺḼḾṀṂṄṆṈṊṌṎṐṒṔṖṘṚṜṞṠṢṤṦṨṪṬṮṰṲṴṶṸṺṼṾẀẂẄẆẈẊẌẎẐẒẔẞẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆ'
      'ỈỊỌỎỐỒỔỖỘỚỜỞỠỢỤỦỨỪỬỮỰỲỴỶỸỺỼỾ',
      'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĵķĺļľłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷÿźżžơưǎǐǒǔ'
      'ǖǘǚǜǟǡǣǥǧǩǫǭǯǵƕƿǹǻǽǿȁȃȅȇȉȋȍȏȑȓȕȗșțȝȟƞȣȥȧȩȫȭȯȱȳͱͳͷϳάέήίόύώαβγδεζηθικλμνξοπρστυφχψωϊϋϗϙϛϝϟϡϣϥϧϩϫϭϯ'
      'ϸϻͻͼͽѐёђѓєѕіїјљњћќѝўџабвгдежзийклмнопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѷѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽ'
      'ҿӏӂӄӆӈӊӌӎӑӓӕӗәӛӝӟӡӣӥӧөӫӭӯӱӳӵӷӹӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆէ'
      'ḁḃḅḇḉḋḍḏḑḓḕḗḙḛḝḟḡḣḥḧḩḫḭḯḱḳḵḷḹḻḽḿṁṃṅṇṉṋṍṏṑṓṕṗṙṛṝṟṡṣṥṧṩṫṭṯṱṳṵṷṹṻṽṿẁẃẅẇẉẋẍẏẑẓẕßạảấầẩẫậắằẳẵặẹẻẽếềểễệ'
      'ỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹỻỽỿ'
    ),
    NFC
  );
  -- Letters of the scripts that domains are written in, without other capital letters.
  if
    v_domain collate "C" !~ (
      '^[a-z0-9.\u00B7\u00DF-\u00F6\u00F8-\u012F\u0131-\u017E\u01A1\u01B0\u01CE-\u0233\u0250-\u02AF\u0300-\u0344\u0370-\u03FF'
      '\u0400-\u052F\u0560-\u0588\u0591-\u05F4\u0610-\u06FF\u0900-\u0EFF\u1000-\u109F\u10D0-\u10FF\u1200-\u137F\u1780-\u17B3\u17B6-\u17E9'
      '\u1E00-\u1EFF\u3005-\u3007\u3041-\u30FF\u3105-\u312F\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3-]+$'
    )
  then
    return ascii_email.value;
  end if;
  return v_local || '@' || (
    select string_agg(
      case when octet_length(l.label) = char_length(l.label) then l.label else 'xn--' || app.punycode(l.label) end,
      '.'
      order by l.ordinality
    )
    from string_to_table(v_domain, '.') with ordinality as l (label, ordinality)
  );
end $_$;

ALTER FUNCTION app.ascii_email(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.ascii_email(value text) IS 'The address with an internationalized domain as xn-- (UTS 46). Unchanged if it is ASCII, or if this cannot convert it; app.is_email then refuses it. Null for null.';

CREATE FUNCTION app.invisible() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT '\u0009\u000A\u000D\u0020\u00A0\u00AD\u034F\u061C\u115F\u1160\u1680\u17B4\u17B5\u180B-\u180F\u2000-\u200F\u2028-\u202F\u205F-\u206F\u2800\u3000\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFF8\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E0FFF'::text;
END;

ALTER FUNCTION app.invisible() OWNER TO leads_owner;

COMMENT ON FUNCTION app.invisible() IS 'The characters that are not visible, for brackets in a regular expression of PostgreSQL. A text of them only is blank.';

CREATE FUNCTION app.clean_text(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN ((value COLLATE "C") !~ (('[^'::text || app.invisible()) || ']'::text)) THEN "left"(value, 0)
             ELSE btrim(value, ((' 	

                 　'::text || '­؜᠎​‌‍‎‏‪‫‬‭‮'::text) || '⁠⁡⁢⁣⁤⁥⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯﻿'::text))
         END AS btrim;
END;

ALTER FUNCTION app.clean_text(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.clean_text(value text) IS 'The text without white space and invisible characters at its ends; empty if no character of it is visible. Every text of a client is stored like this. Null for null.';

CREATE FUNCTION app.changed_details(base jsonb, patch jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT NULLIF((COALESCE((changed_details.base - COALESCE(array_agg(m.key), '{}'::text[])), '{}'::jsonb) || COALESCE(jsonb_object_agg(m.key,
         CASE jsonb_typeof(m.value)
             WHEN 'string'::text THEN to_jsonb(app.clean_text((m.value #>> '{}'::text[])))
             ELSE m.value
         END) FILTER (WHERE (m.value <> 'null'::jsonb)), '{}'::jsonb)), '{}'::jsonb) AS "nullif"
    FROM jsonb_each(changed_details.patch) m(key, value);
END;

ALTER FUNCTION app.changed_details(base jsonb, patch jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION app.changed_details(base jsonb, patch jsonb) IS 'The details base, changed by patch as a merge patch (RFC 7396): null removes a member. Null: no member is left.

base: details, or null. patch: a JSON object without faults (app.details_faults), or {}. Invisible characters at the ends of texts
are removed.';

CREATE FUNCTION app.changed_leads(organization_id uuid, cursor text, updated_since timestamp with time zone, page_size integer) RETURNS api.answer
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_sort TO 'off'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := changed_leads.organization_id;
  v_content json;
  v_position bigint := 0;
  v_last bigint;
  v_newest bigint;
  v_items text[];
  v_cursor text;
  v_answer api.answer;
begin
  if changed_leads.cursor is not null then
    v_content := app.cursor_content(changed_leads.cursor);
    v_position := v_content ->> 'position';
    -- In another database, and in one that was restored to an earlier time, the seal is missing or has another hash.
    if audit.seal_mark(v_organization_id, (v_content ->> 'newest')::bigint) is distinct from v_content ->> 'hash' then
      raise sqlstate 'PT400' using message = 'cursor_expired';
    end if;
  elsif changed_leads.updated_since is not null then
    v_position := audit.position_before(v_organization_id, changed_leads.updated_since);
  end if;

  -- Not more than 1,000 events, so that a page is not expensive. If none of them is about a lead, the page is empty, and
  -- its cursor is behind them.
  with changed as materialized (
    select s.position, e.lead_id
    from audit.seal as s
    cross join lateral (
      select e.lead_id, e.action
      from audit.event as e
      where e.organization_id = v_organization_id and e.id = s.event_id and e.created_at = s.created_at
      -- OFFSET prevents a join that would read all events.
      offset 0
    ) as e
    where
      s.organization_id = v_organization_id
      and s.position > v_position
      and s.position <= v_position + 1000
      and e.action in ('lead.created', 'lead.updated', 'lead.scored')
    order by s.position
    limit changed_leads.page_size
  )
  select
    case when (select count(*) from changed as c) = changed_leads.page_size then (select max(c.position) from changed as c) end,
    array(
      select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
      from (select c.lead_id, max(c.position) as position from changed as c group by c.lead_id) as c
      join app.lead as l on l.organization_id = v_organization_id and l.id = c.lead_id
      order by c.position
    )
  into v_last, v_items;
  if v_last is null then
    select s.position into v_last
    from audit.seal as s
    where s.organization_id = v_organization_id and s.position > v_position and s.position <= v_position + 1000
    order by s.position desc
    limit 1;
  end if;
  v_position := coalesce(v_last, v_position);

  -- The leads are shown as they are now, so the cursor names the newest seal: after a restore to a time in between, the
  -- client has what the database has lost.
  select s.position into v_newest
  from audit.seal as s
  where s.organization_id = v_organization_id
  order by s.position desc
  limit 1;
  v_newest := coalesce(v_newest, 0);
  v_cursor := app.cursor_text(format(
    '{"position":%s,"newest":%s,"hash":"%s"}', v_position, v_newest, audit.seal_mark(v_organization_id, v_newest)
  ));
  v_answer := app.page(v_items, changed_leads.page_size, v_cursor);
  if v_cursor = changed_leads.cursor then
    -- No header Link, which a client would follow at once, and without an end.
    v_answer.headers := null;
  end if;
  return v_answer;
end $$;

ALTER FUNCTION app.changed_leads(organization_id uuid, cursor text, updated_since timestamp with time zone, page_size integer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.changed_leads(organization_id uuid, cursor text, updated_since timestamp with time zone, page_size integer) IS 'The answer with the leads that changed, each as it is now and once, in the order of their last change in the page.

The order is that of the seals in the audit log. The sealer sees committed events only. An event that is committed later gets
a later position, so no page passes a transaction that is still open.
cursor: the next_cursor of the previous page; null: the first page. updated_since: the first page begins with the first event
that was sealed at that time or later; null: with the first event of all. page_size: the number of changes, 1 to 200. The
answer always has a next_cursor. If it is the same as cursor, no further change was sealed.
Raises PT400 cursor_expired if the database does not have the seal in the cursor.';

CREATE FUNCTION app.character_note(value text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return coalesce(
    ' The text has the character '
    || app.code_point(substring(character_note.value collate "C" from '[^ -~]')) || '.',
    ''
  );
end $$;

ALTER FUNCTION app.character_note(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.character_note(value text) IS 'A sentence, after a space, with the code point of the first character that is not printable ASCII: it may be invisible. Empty if there is none.';

CREATE FUNCTION app.claim_idempotency_key(organization_id uuid, idempotency_key text, wait integer, request text) RETURNS api.answer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := claim_idempotency_key.organization_id;
  v_key_digest bytea;
  v_request_digest bytea;
  v_lock_timeout text := current_setting('lock_timeout');
  v_is_claimed boolean;
  v_kept app.idempotency_key;
begin
  if claim_idempotency_key.idempotency_key is null then
    return null;
  end if;
  v_key_digest := sha256(convert_to(v_organization_id || claim_idempotency_key.idempotency_key, 'UTF8'));
  v_request_digest := sha256(convert_to(claim_idempotency_key.request, 'UTF8'));

  -- A second request waits here for the transaction of the first one. Then it finds the answer, or
  -- claims the key itself if the first one rolled back.
  begin
    perform set_config('lock_timeout', greatest(claim_idempotency_key.wait, 1)::text, true);
    insert into app.idempotency_key as k (organization_id, key_digest, request_digest)
    values (v_organization_id, v_key_digest, v_request_digest)
    on conflict (organization_id, key_digest) do update
    set
      request_digest = excluded.request_digest,
      status = null,
      headers = null,
      body = null,
      created_at = excluded.created_at
    where k.created_at < now() - interval '24 hours' or (k.status is null and k.request_digest = excluded.request_digest);
    v_is_claimed := found;
  exception
    when lock_not_available then
      raise sqlstate 'PT409' using message = 'idempotency_in_progress';
  end;
  perform set_config('lock_timeout', v_lock_timeout, true);

  if v_is_claimed then
    -- Each claim deletes a few expired rows that no other transaction has locked.
    delete from app.idempotency_key as k
    where k.organization_id = v_organization_id and k.key_digest in (
      select e.key_digest
      from app.idempotency_key as e
      where e.organization_id = v_organization_id and e.created_at < now() - interval '24 hours'
      order by e.created_at
      limit 10
      for update skip locked
    );
    return null;
  end if;

  select k.* into v_kept
  from app.idempotency_key as k
  where k.organization_id = v_organization_id and k.key_digest = v_key_digest;
  if v_kept.request_digest is null then
    raise sqlstate 'PT409' using message = 'erased';
  end if;
  if v_kept.request_digest is distinct from v_request_digest then
    raise sqlstate 'PT422' using message = 'idempotency_key_reused';
  end if;
  return row(
    v_kept.status,
    (v_kept.headers::jsonb || '{"Idempotency-Replayed": "true"}')::json,
    v_kept.body
  )::api.answer;
end $$;

ALTER FUNCTION app.claim_idempotency_key(organization_id uuid, idempotency_key text, wait integer, request text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.claim_idempotency_key(organization_id uuid, idempotency_key text, wait integer, request text) IS 'Claims the key for this transaction, or returns the answer that is kept for it.

wait: milliseconds to wait for a transaction that has claimed the key, at least 1. request: method, path and body, raw.
Returns the kept answer. Null: the key is claimed (or idempotency_key is null); keep the answer with app.keep_answer.
Raises PT409 idempotency_in_progress and erased, and PT422 idempotency_key_reused for another request with the same key.
The caller raises an error for a later fault, so that the rollback removes the claim.';

CREATE FUNCTION app.code_point("character" text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ('U+'::text || lpad(upper(to_hex(c.number)), GREATEST(4, length(to_hex(c.number))), '0'::text))
    FROM ( SELECT ascii(code_point."character") AS number) c
   WHERE (code_point."character" IS NOT NULL);
END;

ALTER FUNCTION app.code_point("character" text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.code_point("character" text) IS 'The first character as Unicode writes it, such as U+200B. Null for null.';

CREATE FUNCTION app.computed_lead_item(lead app.lead_values) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return row_to_json(app.lead_item(computed_lead_item.lead))::text;
end $$;

ALTER FUNCTION app.computed_lead_item(lead app.lead_values) OWNER TO leads_owner;

COMMENT ON FUNCTION app.computed_lead_item(lead app.lead_values) IS 'A row has no item if it was written without triggers, or if admin.fill_lead_items has not come to it yet.';

CREATE FUNCTION app.contact_fault(organization_id uuid DEFAULT NULL::uuid, has_name_and_phone boolean DEFAULT false, had_only_these boolean DEFAULT false) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT json_build_array(json_build_object('field', 'email', 'code', 'contact_required', 'detail',
         CASE
             WHEN o.accepts_name_and_phone THEN 'A lead needs an email, or a name with a company or a phone.'::text
             ELSE 'A lead needs an email, or a name and a company.'::text
         END)) AS json_build_array
    FROM app.organization o
   WHERE ((o.organization_id = contact_fault.organization_id) AND (NOT (contact_fault.has_name_and_phone AND (o.accepts_name_and_phone OR contact_fault.had_only_these))));
END;

ALTER FUNCTION app.contact_fault(organization_id uuid, has_name_and_phone boolean, had_only_these boolean) OWNER TO leads_owner;

COMMENT ON FUNCTION app.contact_fault(organization_id uuid, has_name_and_phone boolean, had_only_these boolean) IS 'The entry in errors for a lead that has neither an email, nor a name and a company.

has_name_and_phone: whether the lead has a name and a phone, which an organization can accept. had_only_these: whether it was
such a lead before the change; then they suffice, although the organization may not accept them any more. Null: there is no
error.';

CREATE FUNCTION app.control_character(value text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return substring(control_character.value collate "C" from '[\u0001-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]');
end $$;

ALTER FUNCTION app.control_character(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.control_character(value text) IS 'The first of U+0001 to U+001F and U+007F to U+009F in the text, except tab, line feed and carriage return. Null: there is none. No text of a client may have one.';

CREATE FUNCTION app.country_code(organization_id uuid) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT o.country_code
    FROM app.organization o
   WHERE (o.organization_id = country_code.organization_id);
END;

ALTER FUNCTION app.country_code(organization_id uuid) OWNER TO leads_owner;

COMMENT ON FUNCTION app.country_code(organization_id uuid) IS 'The calling code of the organization''s phone numbers that have none, 1 to 3 digits. Null: it is not known.';

CREATE FUNCTION app.csv_cell(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN ((value IS NULL) OR (value = ''::text)) THEN ''::text
             WHEN (strpos('=+-@	
＝＋－＠'::text, "left"(value, 1)) > 0) THEN (('"'''::text || replace(value, '"'::text, '""'::text)) || '"'::text)
             WHEN (value ~ '[",;[:space:]]'::text) THEN (('"'::text || replace(value, '"'::text, '""'::text)) || '"'::text)
             ELSE value
         END AS value;
END;

ALTER FUNCTION app.csv_cell(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.csv_cell(value text) IS 'The cell (RFC 4180), in quotation marks where it needs them; empty for null.

A text that begins with = + - @, a tab, CR or LF gets an apostrophe before it, so that a spreadsheet shows it as a text.';

CREATE FUNCTION app.cursor_content(cursor text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT convert_from(decode((translate(cursor, '-_'::text, '+/'::text) || repeat('='::text, ((- char_length(cursor)) & 3))), 'base64'::text), 'UTF8'::name) AS convert_from;
END;

ALTER FUNCTION app.cursor_content(cursor text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.cursor_content(cursor text) IS 'The content of a cursor, as app.cursor_text got it. The type of the parameter has checked the form of the cursor.';

CREATE FUNCTION app.cursor_text(content text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT rtrim(replace(encode(convert_to(content, 'UTF8'::name), 'base64'::text), '
'::text, ''::text), '='::text) AS rtrim;
END;

ALTER FUNCTION app.cursor_text(content text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.cursor_text(content text) IS 'The content of a cursor, compact JSON, as unpadded base64url (RFC 4648, section 5).';

CREATE FUNCTION scoring.is_signal_member(key text, value jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (((char_length(key) >= 1) AND (char_length(key) <= 64)) AND
         CASE jsonb_typeof(value)
             WHEN 'number'::text THEN (((abs((value)::numeric) < '1000000000000000'::numeric) AND (scale((value)::numeric) < 15)) OR ((abs((value)::numeric) < '10000000000000000000000000000000000000000'::numeric) AND (scale((value)::numeric) < 40) AND (char_length((value #>> '{}'::text[])) <= 40)))
             WHEN 'string'::text THEN (char_length((value #>> '{}'::text[])) <= 1000)
             WHEN 'object'::text THEN false
             WHEN 'array'::text THEN false
             ELSE true
         END);
END;

ALTER FUNCTION scoring.is_signal_member(key text, value jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.is_signal_member(key text, value jsonb) IS 'Whether the value is true, false, null, a number of up to 40 digits or a text of up to 1,000 characters, under a name of 1 to 64 characters.';

CREATE FUNCTION app.details_faults(details jsonb) RETURNS TABLE(field text, code text, detail text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 WITH member AS (
          SELECT m.key,
             m.value,
             jsonb_typeof(m.value) AS type,
                 CASE
                     WHEN (jsonb_typeof(m.value) = 'string'::text) THEN app.clean_text((m.value #>> '{}'::text[]))
                     ELSE NULL::text
                 END AS text
            FROM jsonb_each(details_faults.details) m(key, value)
         ), checked AS (
          SELECT m.key,
             m.text,
                 CASE
                     WHEN ((char_length(m.key) > 64) OR ((m.key COLLATE "C") !~ '^[a-z][a-z0-9_]*$'::text)) THEN 'invalid_name'::text
                     WHEN (m.type = ANY (ARRAY['object'::text, 'array'::text])) THEN 'wrong_type'::text
                     WHEN ((m.type = 'number'::text) AND (NOT scoring.is_signal_member(m.key, m.value))) THEN 'out_of_range'::text
                     WHEN (m.text = ''::text) THEN 'blank'::text
                     WHEN (char_length(m.text) > 1000) THEN 'too_long'::text
                     WHEN (app.control_character(m.text) IS NOT NULL) THEN 'control_character'::text
                     ELSE NULL::text
                 END AS code
            FROM member m
         )
  SELECT ('details.'::text || c.key),
     c.code,
         CASE c.code
             WHEN 'invalid_name'::text THEN ('A name must be 1 to 64 characters out of a-z, 0-9 and _, beginning with a letter.'::text || app.character_note(c.key))
             WHEN 'out_of_range'::text THEN 'A number can have at most 40 characters.'::text
             WHEN 'control_character'::text THEN format('The text has the control character %s. Remove it.'::text, app.code_point(app.control_character(c.text)))
             ELSE 'This must be a text of 1 to 1,000 characters, a number, true or false. With null, the value is removed.'::text
         END AS "case"
    FROM checked c
   WHERE (c.code IS NOT NULL)
   ORDER BY (octet_length(c.key)), (c.key COLLATE "C")
  LIMIT 100;
END;

ALTER FUNCTION app.details_faults(details jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION app.details_faults(details jsonb) IS 'The faults of the members of a lead''s details, at most 100, in the order of their names. details: a JSON object.

Codes: invalid_name, wrong_type, out_of_range, blank, too_long, control_character. app.details_size_faults checks the number
and the size of all members.';

CREATE FUNCTION app.details_size_faults(details jsonb) RETURNS json
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if (select count(*) from jsonb_object_keys(details_size_faults.details)) > 50 then
    return json_build_array(json_build_object(
      'field', 'details', 'code', 'too_many', 'detail', 'A lead can have at most 50 details. Send fewer, or remove some with null.'
    ));
  elsif octet_length(details_size_faults.details::text) > 16384 then
    return json_build_array(json_build_object(
      'field', 'details', 'code', 'too_large', 'detail', 'The details of a lead can have at most 16 KiB as JSON. Send shorter ones.'
    ));
  end if;
  return null;
end $$;

ALTER FUNCTION app.details_size_faults(details jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION app.details_size_faults(details jsonb) IS 'A JSON array with the error of details that have more than 50 members or more than 16,384 bytes; null if there is none. app.is_details has the same limits. details: a JSON object as it is stored.';

CREATE PROCEDURE app.drop_policies(IN of_table regclass)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_name name;
begin
  for v_name in select p.polname from pg_catalog.pg_policy as p where p.polrelid = of_table loop
    execute format('drop policy %I on %s', v_name, of_table);
  end loop;
end $$;

ALTER PROCEDURE app.drop_policies(IN of_table regclass) OWNER TO leads_owner;

COMMENT ON PROCEDURE app.drop_policies(IN of_table regclass) IS 'Drops all policies of a table. A file that creates the policies of a table calls it first.';

CREATE PROCEDURE app.drop_triggers(IN of_table regclass)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_name name;
begin
  for v_name in
    select t.tgname from pg_catalog.pg_trigger as t where t.tgrelid = of_table and not t.tgisinternal
  loop
    execute format('drop trigger %I on %s', v_name, of_table);
  end loop;
end $$;

ALTER PROCEDURE app.drop_triggers(IN of_table regclass) OWNER TO leads_owner;

COMMENT ON PROCEDURE app.drop_triggers(IN of_table regclass) IS 'Drops all triggers of a table, except those of its foreign keys. A file that creates the triggers of a table calls it first.';

CREATE FUNCTION app.duplicate_keys(value json) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 WITH RECURSIVE node AS (
          SELECT duplicate_keys.value AS value,
             1 AS depth
         UNION ALL
          SELECT c.value,
             (node_1.depth + 1)
            FROM (( SELECT n.value,
                     n.depth
                    FROM node n
                   WHERE ((n.value)::text ~ '[{[].*[{[]'::text)) node_1
              CROSS JOIN LATERAL ( SELECT o_1.value
                    FROM json_each(
                         CASE
                             WHEN (json_typeof(node_1.value) = 'object'::text) THEN node_1.value
                             ELSE NULL::json
                         END) o_1(key, value)
                 UNION ALL
                  SELECT a.value
                    FROM json_array_elements(
                         CASE
                             WHEN (json_typeof(node_1.value) = 'array'::text) THEN node_1.value
                             ELSE NULL::json
                         END) a(value)) c)
           WHERE ((json_typeof(c.value) = ANY (ARRAY['object'::text, 'array'::text])) AND (node_1.depth < 4))
         )
  SELECT DISTINCT o.key
    FROM (node
      CROSS JOIN LATERAL ( SELECT k.key
            FROM json_object_keys(
                 CASE
                     WHEN (json_typeof(node.value) = 'object'::text) THEN node.value
                     ELSE NULL::json
                 END) k(key)
           GROUP BY k.key
          HAVING (count(*) > 1)) o)
  LIMIT 100;
END;

ALTER FUNCTION app.duplicate_keys(value json) OWNER TO leads_owner;

COMMENT ON FUNCTION app.duplicate_keys(value json) IS 'The keys that occur more than once in one object, in the upper 4 levels; at most 100 keys. (IS JSON WITH UNIQUE KEYS needs PostgreSQL 16 and does not name the keys.)';

CREATE FUNCTION app.export_headers(name text, format text, next_cursor text) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT json_build_object('Content-Type',
         CASE format
             WHEN 'csv'::text THEN 'text/csv; charset=utf-8; header=present'::text
             ELSE 'application/x-ndjson'::text
         END, 'Content-Disposition', format('attachment; filename="%s.%s"'::text, name, format), 'Next-Cursor', next_cursor) AS json_build_object;
END;

ALTER FUNCTION app.export_headers(name text, format text, next_cursor text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.export_headers(name text, format text, next_cursor text) IS 'The media type, the name of the file, and the cursor of the next page.

name: that of the file without its suffix. format: ndjson or csv. next_cursor: null behind the last page.';

CREATE FUNCTION app.export_page(lines text[], format text, columns text, cursor text, has_more boolean, last_at timestamp with time zone, last_id uuid, OUT body text, OUT next_cursor text, OUT row_count bigint) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  row_count := coalesce((app.cursor_content(export_page.cursor)::json ->> 'rows')::bigint, 0)
    + cardinality(export_page.lines);
  if export_page.has_more then
    next_cursor := app.cursor_text(format(
      '{"created_at":"%s","id":"%s","rows":%s}', app.utc_text(export_page.last_at), export_page.last_id, row_count
    ));
  end if;
  body := concat(
    case when export_page.format = 'csv' and export_page.cursor is null then export_page.columns || E'\r\n' end,
    array_to_string(export_page.lines, ''),
    case
      when export_page.has_more then null
      when export_page.format = 'csv' then
        -- Each record of RFC 4180 has the same number of cells.
        concat('# complete,', row_count, regexp_replace(export_page.columns, '^[^,]*,[^,]*|[^,]', '', 'g'), E'\r\n')
      else format(E'{"complete":true,"rows":%s}\n', row_count)
    end
  );
end $$;

ALTER FUNCTION app.export_page(lines text[], format text, columns text, cursor text, has_more boolean, last_at timestamp with time zone, last_id uuid, OUT body text, OUT next_cursor text, OUT row_count bigint) OWNER TO leads_owner;

COMMENT ON FUNCTION app.export_page(lines text[], format text, columns text, cursor text, has_more boolean, last_at timestamp with time zone, last_id uuid, OUT body text, OUT next_cursor text, OUT row_count bigint) IS 'The page with the header line before its first row, and behind the last row the line that says that the export is complete.

lines: the rows, each with its end. format: ndjson or csv. columns: the header line of CSV. cursor: that of the page; null: the
first page. has_more: whether rows follow. last_at, last_id: the last row of the page. next_cursor: null behind the
last page. row_count: the number of rows so far. The cursor has it, so that no server has to remember it.';

CREATE FUNCTION app.exported_lead(lead app.lead_values, format text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if exported_lead.format = 'csv' then
    -- An id, a number, a time and an object can't be read as a formula.
    return concat(
      lead.id, ',', lead.organization_id, ',', app.csv_cell(lead.name), ',', app.csv_cell(lead.company), ',',
      app.csv_cell(lead.email), ',', app.csv_cell(lead.source), ',', lead.lead_score, ',',
      app.csv_cell(lead.pipeline_stage), ',', app.csv_cell(lead.industry), ',', app.csv_cell(lead.company_size), ',',
      app.utc_text(lead.created_at), ',', app.utc_text(lead.updated_at), ',', app.csv_cell(lead.pain_points), ',',
      app.csv_cell(lead.timeline), ',', app.csv_cell(lead.budget_range), ',', app.csv_cell(lead.ai_reasoning), ',',
      app.utc_text(lead.qualification_completed_at), ',', app.csv_cell(lead.phone), ',',
      app.csv_cell(lead.reference), ',', app.csv_cell(coalesce(lead.details::text, '{}')), E'\r\n'
    );
  end if;
  return row_to_json(
    row(
      lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
      lead.pipeline_stage, lead.industry, lead.company_size, app.utc_text(lead.created_at),
      app.utc_text(lead.updated_at), lead.pain_points, lead.timeline, lead.budget_range, lead.ai_reasoning,
      app.utc_text(lead.qualification_completed_at), lead.phone, lead.reference, coalesce(lead.details::json, '{}')
    )::api.exported_lead
  )::text || E'\n';
end $$;

ALTER FUNCTION app.exported_lead(lead app.lead_values, format text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.exported_lead(lead app.lead_values, format text) IS 'The 20 fields of api.exported_lead as a line with its end. format: ndjson or csv.';

CREATE FUNCTION app.filtered_leads(organization_id uuid, stages text[], sources text[], emails text[], phone text, reference text, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) RETURNS SETOF app.lead_values
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_sort TO 'off'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := filtered_leads.organization_id;
  v_emails text[] := array(
    select lower(app.read_email(e.value) collate "C") from unnest(filtered_leads.emails) as e (value)
  );
  v_phones text[];
begin
  -- One statement for each combination of filters, because each has its own index, as in api.list_leads.
  if filtered_leads.reference is not null or filtered_leads.phone is not null then
    v_phones := app.phone_keys(filtered_leads.phone, v_organization_id);
  end if;
  if filtered_leads.reference is not null then
    -- A reference has at most one lead.
    return query
    select l.*
    from app.lead as l
    where
      l.organization_id = v_organization_id
      and l.reference = app.clean_text(filtered_leads.reference)
      and (filtered_leads.phone is null or l.phone_key = any (v_phones))
      and (filtered_leads.emails is null or l.email_key = any (v_emails))
      and (filtered_leads.stages is null or l.pipeline_stage = any (filtered_leads.stages))
      and (filtered_leads.sources is null or l.source = any (filtered_leads.sources))
      and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
      and l.created_at >= filtered_leads.start_at;
  elsif filtered_leads.phone is not null then
    return query
    select p.*
    from (select distinct k.value from unnest(v_phones) as k (value)) as k
    cross join lateral (
      select l.*
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.phone_key = k.value
        and (filtered_leads.emails is null or l.email_key = any (v_emails))
        and (filtered_leads.stages is null or l.pipeline_stage = any (filtered_leads.stages))
        and (filtered_leads.sources is null or l.source = any (filtered_leads.sources))
        and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
        and l.created_at >= filtered_leads.start_at
      order by l.created_at desc, l.id desc
      limit filtered_leads.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_leads.limit;
  elsif filtered_leads.emails is not null then
    return query
    select p.*
    from (select distinct e.value from unnest(v_emails) as e (value)) as e
    cross join lateral (
      select l.*
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.email_key = e.value
        and (filtered_leads.stages is null or l.pipeline_stage = any (filtered_leads.stages))
        and (filtered_leads.sources is null or l.source = any (filtered_leads.sources))
        and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
        and l.created_at >= filtered_leads.start_at
      order by l.created_at desc, l.id desc
      limit filtered_leads.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_leads.limit;
  elsif filtered_leads.stages is not null and filtered_leads.sources is not null then
    return query
    select p.*
    from (
      select distinct g.value || '/' || s.value as value
      from unnest(filtered_leads.stages) as g (value)
      cross join unnest(filtered_leads.sources) as s (value)
    ) as f
    cross join lateral (
      select l.*
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.pipeline_stage_and_source = f.value
        and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
        and l.created_at >= filtered_leads.start_at
      order by l.created_at desc, l.id desc
      limit filtered_leads.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_leads.limit;
  elsif filtered_leads.stages is not null then
    return query
    select p.*
    from (select distinct u.value from unnest(filtered_leads.stages) as u (value)) as g
    cross join lateral (
      select l.*
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.pipeline_stage = g.value
        and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
        and l.created_at >= filtered_leads.start_at
      order by l.created_at desc, l.id desc
      limit filtered_leads.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_leads.limit;
  elsif filtered_leads.sources is not null then
    return query
    select p.*
    from (select distinct u.value from unnest(filtered_leads.sources) as u (value)) as s
    cross join lateral (
      select l.*
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.source = s.value
        and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
        and l.created_at >= filtered_leads.start_at
      order by l.created_at desc, l.id desc
      limit filtered_leads.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_leads.limit;
  else
    return query
    select l.*
    from app.lead as l
    where
      l.organization_id = v_organization_id
      and (l.created_at, l.id) < (filtered_leads.before, filtered_leads.before_id)
      and l.created_at >= filtered_leads.start_at
    order by l.created_at desc, l.id desc
    limit filtered_leads.limit;
  end if;
end $$;

ALTER FUNCTION app.filtered_leads(organization_id uuid, stages text[], sources text[], emails text[], phone text, reference text, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.filtered_leads(organization_id uuid, stages text[], sources text[], emails text[], phone text, reference text, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) IS 'The leads that match all filters, newest first.

stages, sources, emails, phone, reference: the values of the filters; null: no filter. before, before_id: the upper bound of
the page, exclusive. start_at: the lower bound, inclusive. "limit": the number of rows.';

CREATE FUNCTION app.found_leads(organization_id uuid, words text[], stages text[], sources text[], before timestamp with time zone, before_id uuid, start_at timestamp with time zone, page_size integer) RETURNS api.answer
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_sort TO 'off'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := found_leads.organization_id;
  v_few integer := 200;
  v_most_entries integer := 5000;
  v_most_unindexed integer := 500;
  v_most_leads integer := 5000;
  v_unindexed uuid[] := app.unindexed_leads(v_organization_id, v_most_unindexed);
  v_is_indexed boolean := cardinality(v_unindexed) < v_most_unindexed;
  v_word text;
  v_rare text[] := '{}';
  v_count integer;
  v_lead app.lead_values;
  v_items text[] := '{}';
  v_read integer := 0;
  v_last_at timestamptz;
  v_last_id uuid;
  v_cursor text;
begin
  -- A word that has few leads leads to them. For all others, the leads themselves are read, newest first: most of them
  -- match, or the page ends early.
  -- Long words first, which are mostly the rarest.
  for v_word in
    select u.word from unnest(found_leads.words) as u (word) where v_is_indexed order by char_length(u.word) desc
  loop
    select count(*) into v_count
    from (
      select
      from app.lead_word as w
      where w.organization_id = v_organization_id and w.word >= v_word and w.word < v_word || U&'\+10FFFF'
      -- The order selects the index.
      order by w.word
      limit v_most_entries
    ) as w;
    if v_count < v_most_entries then
      v_rare := v_rare || v_word;
      -- The other words are compared with the few leads of this one.
      exit when v_count <= v_few;
    end if;
  end loop;

  if cardinality(v_rare) > 0 then
    for v_lead in
      with entry as (
        select distinct r.word, w.created_at, w.lead_id
        -- The end of the range is computed here, because || is not leakproof: with a column in it, row-level security
        -- would not let the index use it.
        from (select u.word, u.word || U&'\+10FFFF' as end_word from unnest(v_rare) as u (word) offset 0) as r
        cross join lateral (
          select w.created_at, w.lead_id
          from app.lead_word as w
          where w.organization_id = v_organization_id and w.word >= r.word and w.word < r.end_word
          order by w.word
          offset 0
        ) as w
      ),
      candidate as (
        select e.created_at, e.lead_id
        from entry as e
        where
          (e.created_at, e.lead_id) < (found_leads.before, found_leads.before_id)
          and e.created_at >= found_leads.start_at
          and e.lead_id <> all (v_unindexed)
        group by e.created_at, e.lead_id
        having count(*) = cardinality(v_rare)
        union all
        select l.created_at, l.id
        from unnest(v_unindexed) as u (id)
        cross join lateral (
          select l.created_at, l.id from app.lead as l where l.organization_id = v_organization_id and l.id = u.id offset 0
        ) as l
        where
          (l.created_at, l.id) < (found_leads.before, found_leads.before_id)
          and l.created_at >= found_leads.start_at
      )
      select l.*
      from (select c.created_at, c.lead_id from candidate as c order by c.created_at desc, c.lead_id desc) as c
      cross join lateral (
        select l.* from app.lead as l where l.organization_id = v_organization_id and l.id = c.lead_id offset 0
      ) as l
    loop
      -- Words of the entry may be old.
      if
        (found_leads.stages is null or v_lead.pipeline_stage = any (found_leads.stages))
        and (found_leads.sources is null or v_lead.source = any (found_leads.sources))
        and app.has_words(v_lead.name, v_lead.company, v_lead.email, found_leads.words)
      then
        v_items := v_items || coalesce(v_lead.item, app.computed_lead_item(v_lead));
        exit when cardinality(v_items) > found_leads.page_size;
      end if;
    end loop;
    v_cursor := app.next_cursor(v_items, found_leads.page_size);
    return app.page(v_items, found_leads.page_size, v_cursor);
  end if;

  for v_lead in
    select l.*
    from app.lead as l
    where
      l.organization_id = v_organization_id
      and (l.created_at, l.id) < (found_leads.before, found_leads.before_id)
      and l.created_at >= found_leads.start_at
    order by l.created_at desc, l.id desc
  loop
    if v_read = v_most_leads or cardinality(v_items) = found_leads.page_size then
      v_cursor := app.cursor_text(format(
        '{"created_at":"%s","id":"%s"}', app.utc_text(v_last_at), v_last_id
      ));
      exit;
    end if;
    v_read := v_read + 1;
    v_last_at := v_lead.created_at;
    v_last_id := v_lead.id;
    if
      (found_leads.stages is null or v_lead.pipeline_stage = any (found_leads.stages))
      and (found_leads.sources is null or v_lead.source = any (found_leads.sources))
      and app.has_words(v_lead.name, v_lead.company, v_lead.email, found_leads.words)
    then
      v_items := v_items || coalesce(v_lead.item, app.computed_lead_item(v_lead));
    end if;
  end loop;
  return app.page(v_items, found_leads.page_size, v_cursor);
end $$;

ALTER FUNCTION app.found_leads(organization_id uuid, words text[], stages text[], sources text[], before timestamp with time zone, before_id uuid, start_at timestamp with time zone, page_size integer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.found_leads(organization_id uuid, words text[], stages text[], sources text[], before timestamp with time zone, before_id uuid, start_at timestamp with time zone, page_size integer) IS 'The answer with the leads that have all words, newest first.

A word with less than 5,000 entries in app.lead_word leads to its leads. If there is no such word, or if 500 leads and more
wait for their words, up to 5,000 leads are read, newest first. Then a page can have fewer rows than page_size, and a next one.

words: those of app.search_words. stages, sources: the values of the filters; null: no filter. before, before_id: the upper
bound of the page, exclusive. start_at: the lower bound, inclusive. page_size: 1 to 200.';

CREATE FUNCTION app.has_words(name text, company text, email text, words text[]) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_text text := lower(concat_ws(' ', has_words.name, has_words.company, has_words.email));
  v_words text[];
  v_word text;
begin
  -- Most leads don't contain the text at all, which costs less to find out than their words.
  foreach v_word in array has_words.words loop
    if strpos(v_text, v_word) = 0 then
      return false;
    end if;
  end loop;
  v_words := app.lead_words(has_words.name, has_words.company, has_words.email);
  foreach v_word in array has_words.words loop
    if not exists (select from unnest(v_words) as w (word) where starts_with(w.word, v_word)) then
      return false;
    end if;
  end loop;
  return true;
end $$;

ALTER FUNCTION app.has_words(name text, company text, email text, words text[]) OWNER TO leads_owner;

COMMENT ON FUNCTION app.has_words(name text, company text, email text, words text[]) IS 'Whether each of the words (app.search_words) is the beginning of a word of the lead (app.lead_words).';

CREATE FUNCTION app.is_etag_matched(if_match text, etag text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ((if_match IS NULL) OR (btrim(if_match, ' 	'::text) = '*'::text) OR (EXISTS ( SELECT
            FROM regexp_matches(is_etag_matched.if_match, '(?:W/)?"[^"]*"'::text, 'g'::text) t(tag)
           WHERE (t.tag[1] = is_etag_matched.etag))));
END;

ALTER FUNCTION app.is_etag_matched(if_match text, etag text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.is_etag_matched(if_match text, etag text) IS 'Whether If-Match (RFC 9110, section 13.1.1), a list of entity tags or *, matches the tag of the record. True if if_match is null. The comparison is strong: a weak tag never matches.';

CREATE FUNCTION app.is_plain_text(value text, max_length integer) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  return char_length(is_plain_text.value) between 1 and is_plain_text.max_length
    and is_plain_text.value collate "C" !~ (
      '[\u0001-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]|^[' || app.invisible() || ']|[' || app.invisible() || ']$'
    );
end $_$;

ALTER FUNCTION app.is_plain_text(value text, max_length integer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.is_plain_text(value text, max_length integer) IS 'Whether the value is a text of 1 to max_length characters that app.clean_text does not change, without a control character.

False for some texts that have no fault, such as one that ends with an emoji and U+FE0F. Null for null.';

CREATE TABLE app.idempotency_key (
    organization_id uuid NOT NULL,
    key_digest bytea NOT NULL,
    request_digest bytea,
    status integer,
    headers json,
    body text,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    CONSTRAINT idempotency_key_digests_have_32_bytes CHECK (((octet_length(key_digest) = 32) AND (octet_length(request_digest) = 32))),
    CONSTRAINT idempotency_key_forgets_all_when_it_is_erased CHECK (((request_digest IS NOT NULL) OR ((status IS NULL) AND (headers IS NULL) AND (body IS NULL))))
);
ALTER TABLE ONLY app.idempotency_key ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY app.idempotency_key ALTER COLUMN key_digest SET STATISTICS 0;
ALTER TABLE ONLY app.idempotency_key ALTER COLUMN request_digest SET STATISTICS 0;
ALTER TABLE ONLY app.idempotency_key ALTER COLUMN status SET STATISTICS 0;
ALTER TABLE ONLY app.idempotency_key ALTER COLUMN headers SET STATISTICS 0;
ALTER TABLE ONLY app.idempotency_key ALTER COLUMN body SET STATISTICS 0;
ALTER TABLE ONLY app.idempotency_key ALTER COLUMN created_at SET STATISTICS 0;

ALTER TABLE ONLY app.idempotency_key FORCE ROW LEVEL SECURITY;

ALTER TABLE app.idempotency_key OWNER TO leads_owner;

COMMENT ON TABLE app.idempotency_key IS 'Answers that are kept for 24 hours under an Idempotency-Key. A row without a status has no answer yet.';

COMMENT ON COLUMN app.idempotency_key.key_digest IS 'SHA-256 of organization_id and the key, because a key may contain an e-mail address.';

COMMENT ON COLUMN app.idempotency_key.request_digest IS 'SHA-256 of method, path and body. Another request under the key is refused. Null: the answer was erased.';

CREATE FUNCTION app.keep_answer(organization_id uuid, idempotency_key text, answer api.answer) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
 UPDATE app.idempotency_key k SET status = (keep_answer.answer).status, headers = (keep_answer.answer).headers, body = (keep_answer.answer).body
   WHERE ((k.organization_id = keep_answer.organization_id) AND (k.key_digest = sha256(convert_to((keep_answer.organization_id || keep_answer.idempotency_key), 'UTF8'::name))) AND ((keep_answer.answer).status <> 202));
END;

ALTER FUNCTION app.keep_answer(organization_id uuid, idempotency_key text, answer api.answer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.keep_answer(organization_id uuid, idempotency_key text, answer api.answer) IS 'Keeps the answer for 24 hours, in the transaction of the change. A 202 is not kept. Does nothing if the key is null.';

CREATE FUNCTION app.lead_change(lead app.lead_values) RETURNS api.lead_change
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ROW((lead).id, (lead).organization_id, (lead).name, (lead).company, (lead).email, (lead).source, (lead).lead_score, (lead).pipeline_stage, (app.utc_text((lead).updated_at))::api.utc_time)::api.lead_change AS "row";
END;

ALTER FUNCTION app.lead_change(lead app.lead_values) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_change(lead app.lead_values) IS 'The 9 fields of a lead that the answer to PATCH shows, in the order of the body.';

CREATE FUNCTION app.lead_details(lead app.lead_values) RETURNS api.lead_details
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ROW((lead).id, (lead).phone, (lead).reference, COALESCE(((lead).details)::json, '{}'::json), app.utc_text((lead).updated_at))::api.lead_details AS "row";
END;

ALTER FUNCTION app.lead_details(lead app.lead_values) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_details(lead app.lead_values) IS 'The five members of the body of /leads/{id}/details, in their order.';

CREATE FUNCTION app.lead_etag(revision integer) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (((('"'::text || revision) || '.'::text) || api.schema_version()) || '"'::text);
END;

ALTER FUNCTION app.lead_etag(revision integer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_etag(revision integer) IS 'A strong entity tag (RFC 9110, section 8.8.3). It changes with every change of the lead, and with the version of the schema, which may show the lead differently.';

CREATE FUNCTION app.lead_export(organization_id uuid, format text, cursor text, stages text[], sources text[], emails text[], phone text, reference text, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- A page is short, so that other requests don't wait for it, and of a limited size, so that a slow client holds little.
  v_most_rows integer := 500;
  v_most_bytes integer := 262144;
  v_bound record := app.page_bound(lead_export.cursor, lead_export.end_at);
  v_lead app.lead_values;
  v_last_at timestamptz;
  v_line text;
  v_lines text[] := '{}';
  v_bytes integer := 0;
  v_has_more boolean := false;
  v_page record;
begin
  if lead_export.cursor is null then
    -- Later pages have the same filters. A stage that is removed meanwhile doesn't end the export.
    perform app.raise_faults(422, 'validation_failed', (
      select json_agg(f.fault)
      from (
        select json_array_elements(app.lead_filter_faults(
          lead_export.organization_id, lead_export.stages, lead_export.sources, lead_export.emails
        )) as fault
        union all
        select json_array_elements(app.phone_filter_faults(lead_export.phone, lead_export.reference))
      ) as f
    ));
  end if;
  lead_ids := '{}';
  for v_lead in
    select f.*
    from app.filtered_leads(
      lead_export.organization_id, lead_export.stages, lead_export.sources, lead_export.emails, lead_export.phone,
      lead_export.reference, v_bound.created_at, v_bound.id, coalesce(lead_export.start_at, '-infinity'), v_most_rows + 1
    ) as f
  loop
    if cardinality(lead_ids) = v_most_rows or v_bytes >= v_most_bytes then
      v_has_more := true;
      exit;
    end if;
    v_line := app.exported_lead(v_lead, lead_export.format);
    v_lines := v_lines || v_line;
    v_bytes := v_bytes + octet_length(v_line);
    v_last_at := v_lead.created_at;
    lead_ids := lead_ids || v_lead.id;
  end loop;
  v_page := app.export_page(
    v_lines,
    lead_export.format,
    'id,organization_id,name,company,email,source,lead_score,pipeline_stage,industry,company_size,created_at,updated_at,'
    'pain_points,timeline,budget_range,ai_reasoning,qualification_completed_at,phone,reference,details',
    lead_export.cursor, v_has_more, v_last_at, lead_ids[cardinality(lead_ids)]
  );
  body := v_page.body;
  next_cursor := v_page.next_cursor;
  row_count := v_page.row_count;
end $$;

ALTER FUNCTION app.lead_export(organization_id uuid, format text, cursor text, stages text[], sources text[], emails text[], phone text, reference text, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_export(organization_id uuid, format text, cursor text, stages text[], sources text[], emails text[], phone text, reference text, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) IS 'Up to 500 leads, newest first, as text. A page ends when it has 256 KiB.

format: ndjson or csv. cursor: the next_cursor of the previous page; null: the first page. stages, sources, emails, phone, reference,
start_at, end_at: the filters; null: none. row_count: the number of rows so far. lead_ids: the leads of the page. Raises PT422 validation_failed.';

CREATE FUNCTION app.lead_faults(organization_id uuid, fields jsonb, is_detail boolean DEFAULT NULL::boolean) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (
    -- Text is taken from a string only: from a number, it can have 131,072 digits.
    with field as materialized (
      select
        f.name,
        f.kind,
        f.max_length,
        f.is_nullable,
        s.value,
        jsonb_typeof(s.value) as type,
        case
          when jsonb_typeof(s.value) = 'string' and f.kind = 'email' then app.ascii_email(app.clean_text(s.value #>> '{}'))
          when jsonb_typeof(s.value) = 'string' then app.clean_text(s.value #>> '{}')
        end as text
      from app.lead_field as f
      cross join lateral (select lead_faults.fields -> f.name as value) as s
      where
        lead_faults.fields ? f.name
        and (lead_faults.is_detail is null or f.is_detail = lead_faults.is_detail)
    ),
    checked as (
      select
        f.*,
        case
          when f.type = 'null' then case when not f.is_nullable then 'not_nullable' end
          when f.type <> case f.kind when 'score' then 'number' when 'details' then 'object' else 'string' end
            then 'wrong_type'
          when f.kind = 'score' then
            case
              when f.value::numeric not between 0 and 100 then 'out_of_range'
              when f.value::numeric % 1 <> 0 then 'not_whole'
            end
          when f.text = '' then 'blank'
          when char_length(f.text) > f.max_length then 'too_long'
          when f.kind in ('text', 'phone') and app.control_character(f.text) is not null then 'control_character'
          when f.kind = 'email' and not app.is_email(f.text) then 'invalid_email'
          when f.kind = 'name' and not app.is_name(f.text) then 'invalid_name'
          when f.kind = 'phone' and not app.is_phone(f.text) then 'invalid_phone'
          when f.kind = 'stage' and not exists (
            select from app.pipeline_stage as p
            where p.organization_id = lead_faults.organization_id and p.name = f.text
          ) then 'unknown_stage'
        end as code
      from field as f
    ),
    fault (field, code, detail) as (
      select
        c.name,
        c.code,
        case c.code
          when 'control_character' then format(
            'The text has the control character %s. Remove it.', app.code_point(app.control_character(c.text))
          )
          when 'unknown_stage' then format(
            'This must be one of the organization''s pipeline stages: %s.', app.stage_names(lead_faults.organization_id)
          )
          else app.lead_field_rule(c.kind, c.max_length, c.is_nullable)
        end
        || case
          when c.code in ('invalid_email', 'invalid_name', 'unknown_stage') then app.character_note(c.text)
          else ''
        end
      from checked as c
      where c.code is not null
      union all
      select d.field, d.code, d.detail
      from field as f
      cross join lateral app.details_faults(f.value) as d
      where f.kind = 'details' and f.type = 'object'
      union all
      (
        select
          k.key,
          case
            when k.key in ('id', 'organization_id', 'qualification_completed_at', 'created_at', 'updated_at')
              then 'read_only_field'
            else 'unknown_field'
          end,
          case
            when k.key in ('id', 'organization_id', 'qualification_completed_at', 'created_at', 'updated_at')
              then 'This field is set by the server. Leave it out.'
            when exists (select from app.lead_field as f where f.name = k.key) then format(
              'This request does not change the field. Use PATCH /leads/{id}%s.',
              case when not lead_faults.is_detail then '/details' end
            )
            else 'This field does not exist. Leave it out.'
          end
        from jsonb_object_keys(lead_faults.fields - array(
          select f.name from app.lead_field as f where lead_faults.is_detail is null or f.is_detail = lead_faults.is_detail
        )) as k (key)
        order by octet_length(k.key), k.key collate "C"
        limit 100
      )
    )
    select json_agg(
      json_build_object('field', left(f.field, 100), 'code', f.code, 'detail', f.detail)
      order by octet_length(f.field), f.field collate "C"
    )
    from fault as f
  );
end $$;

ALTER FUNCTION app.lead_faults(organization_id uuid, fields jsonb, is_detail boolean) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_faults(organization_id uuid, fields jsonb, is_detail boolean) IS 'The faults of the fields of a lead that a client sends.

fields: a JSON object. is_detail: true, if the client may send phone, reference and details only; false, if it may send the
other fields only; null: all fields. The size of details is not checked (app.details_size_faults). Returns a JSON array of {field, code, detail}, in the order of the fields, with at most 100 fields
that the client may not send; null if there is no fault. Codes: read_only_field, unknown_field, not_nullable, wrong_type,
out_of_range, not_whole, blank, too_long, control_character, invalid_email, invalid_name, unknown_stage, invalid_phone. The CHECKs and the
foreign key of app.lead refuse the same values from any writer, except invisible and control characters.';

CREATE FUNCTION app.lead_filter_faults(organization_id uuid, stages text[], sources text[], emails text[]) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (
    with fault as (
      select f.fault
      from json_array_elements(
        app.stage_filter_faults(lead_filter_faults.organization_id, lead_filter_faults.stages)
      ) as f (fault)
      union all
      select json_build_object('field', 'source', 'code', 'invalid_name', 'detail', format(
        'No lead can have the source "%s". A source is 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.',
        left(s.value, 100)
      ) || app.character_note(s.value))
      from unnest(lead_filter_faults.sources) as s (value)
      where not app.is_name(s.value)
      union all
      select json_build_object('field', 'email', 'code', 'invalid_email', 'detail', format(
        'No lead can have the address "%s". Send an address such as ada@example.com.', left(e.value, 100)
      ) || app.character_note(app.read_email(e.value)))
      from unnest(lead_filter_faults.emails) as e (value)
      where not app.is_email(app.read_email(e.value))
    )
    select json_agg(f.fault) from fault as f
  );
end $$;

ALTER FUNCTION app.lead_filter_faults(organization_id uuid, stages text[], sources text[], emails text[]) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_filter_faults(organization_id uuid, stages text[], sources text[], emails text[]) IS 'A field error for each value that no lead of the organization can have. Null: there is none.';

CREATE FUNCTION app.lead_from(fields jsonb, base app.lead_values) RETURNS app.lead_values
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_fields jsonb;
begin
  select jsonb_object_agg(
    f.key,
    case jsonb_typeof(f.value)
      when 'string' then to_jsonb(
        case f.key
          when 'email' then app.ascii_email(app.clean_text(f.value #>> '{}'))
          else app.clean_text(f.value #>> '{}')
        end
      )
      -- 87.0 is 87: the text "87.0" is no integer.
      when 'number' then to_jsonb(f.value::integer)
      when 'object' then app.changed_details((lead_from.base).details, f.value)
      else f.value
    end
  )
  into v_fields
  from jsonb_each(lead_from.fields) as f;
  return jsonb_populate_record(lead_from.base, coalesce(v_fields, '{}'));
end $$;

ALTER FUNCTION app.lead_from(fields jsonb, base app.lead_values) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_from(fields jsonb, base app.lead_values) IS 'The lead base, changed by the fields that a client sends.

fields: a JSON object without faults (app.lead_faults). White space and invisible characters at the ends of
texts are removed, and the domain of the email is converted to ASCII. A field that is left out keeps the value of base;
null clears it. details are changed member by member (app.changed_details).';

CREATE FUNCTION app.lead_item(lead app.lead_values) RETURNS api.lead_item
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ROW((lead).id, (lead).organization_id, (lead).name, (lead).company, (lead).email, (lead).source, (lead).lead_score, (lead).pipeline_stage, (lead).industry, (lead).company_size, (app.utc_text((lead).created_at))::api.utc_time, (app.utc_text((lead).updated_at))::api.utc_time)::api.lead_item AS "row";
END;

ALTER FUNCTION app.lead_item(lead app.lead_values) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_item(lead app.lead_values) IS 'The 12 fields of a lead that a list shows, in the order of the body.';

CREATE FUNCTION app.lead_whole(lead app.lead_values) RETURNS api.lead
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ROW((lead).id, (lead).organization_id, (lead).name, (lead).company, (lead).email, (lead).source, (lead).lead_score, (lead).pipeline_stage, (lead).industry, (lead).company_size, (lead).pain_points, (lead).timeline, (lead).budget_range, (lead).ai_reasoning, (app.utc_text((lead).qualification_completed_at))::api.utc_time, (app.utc_text((lead).created_at))::api.utc_time, (app.utc_text((lead).updated_at))::api.utc_time)::api.lead AS "row";
END;

ALTER FUNCTION app.lead_whole(lead app.lead_values) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_whole(lead app.lead_values) IS 'All 17 fields of a lead, in the order of the body.';

CREATE FUNCTION app.lead_words(name text, company text, email text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ARRAY( SELECT (w.word COLLATE "C") AS word
            FROM regexp_split_to_table(lower(concat_ws(' '::text, lead_words.name, lead_words.company, lead_words.email)), '[^[:alnum:]]+'::text) w(word)
           WHERE (w.word <> ''::text)
         UNION
          SELECT (lower(lead_words.email) COLLATE "C") AS lower
           WHERE (lead_words.email IS NOT NULL)) AS "array";
END;

ALTER FUNCTION app.lead_words(name text, company text, email text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.lead_words(name text, company text, email text) IS 'The words of the three values in lower case, each once: what is between characters that are neither letters nor digits. The whole e-mail address is a word, too.';

CREATE FUNCTION app.leads_by_phone_or_reference(organization_id uuid, phone text, reference text, emails text[], stages text[], sources text[], before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := leads_by_phone_or_reference.organization_id;
  v_phones text[] := app.phone_keys(leads_by_phone_or_reference.phone, v_organization_id);
  v_emails text[] := array(
    select lower(app.read_email(e.value) collate "C") from unnest(leads_by_phone_or_reference.emails) as e (value)
  );
begin
  if leads_by_phone_or_reference.reference is not null then
    -- A reference has at most one lead.
    return array(
      select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.reference = app.clean_text(leads_by_phone_or_reference.reference)
        and (leads_by_phone_or_reference.phone is null or l.phone_key = any (v_phones))
        and (leads_by_phone_or_reference.emails is null or l.email_key = any (v_emails))
        and (leads_by_phone_or_reference.stages is null or l.pipeline_stage = any (leads_by_phone_or_reference.stages))
        and (leads_by_phone_or_reference.sources is null or l.source = any (leads_by_phone_or_reference.sources))
        and (l.created_at, l.id) < (leads_by_phone_or_reference.before, leads_by_phone_or_reference.before_id)
        and l.created_at >= leads_by_phone_or_reference.start_at
      order by l.created_at desc, l.id desc
      limit leads_by_phone_or_reference.limit
    );
  end if;
  return array(
    select f.item
    from (select distinct k.value from unnest(v_phones) as k (value)) as p
    cross join lateral (
      select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values)) as item, l.created_at, l.id
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.phone_key = p.value
        and (leads_by_phone_or_reference.emails is null or l.email_key = any (v_emails))
        and (leads_by_phone_or_reference.stages is null or l.pipeline_stage = any (leads_by_phone_or_reference.stages))
        and (leads_by_phone_or_reference.sources is null or l.source = any (leads_by_phone_or_reference.sources))
        and (l.created_at, l.id) < (leads_by_phone_or_reference.before, leads_by_phone_or_reference.before_id)
        and l.created_at >= leads_by_phone_or_reference.start_at
      order by l.created_at desc, l.id desc
      limit leads_by_phone_or_reference.limit
    ) as f
    order by f.created_at desc, f.id desc
    limit leads_by_phone_or_reference.limit
  );
end $$;

ALTER FUNCTION app.leads_by_phone_or_reference(organization_id uuid, phone text, reference text, emails text[], stages text[], sources text[], before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.leads_by_phone_or_reference(organization_id uuid, phone text, reference text, emails text[], stages text[], sources text[], before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) IS 'The items of the leads that match all filters, newest first, as api.list_leads returns them.

phone, reference, emails, stages, sources: the values of the filters, at least a phone or a reference; null: no filter.
before, before_id: the upper bound of the page, exclusive. start_at: the lower bound, inclusive. "limit": the number of items.';

CREATE FUNCTION app.next_cursor(items text[], page_size integer) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN ((items)[(page_size + 1)] IS NOT NULL) THEN app.cursor_text((((('{"created_at":"'::text || (((items)[page_size])::json ->> 'created_at'::text)) || '","id":"'::text) || (((items)[page_size])::json ->> 'id'::text)) || '"}'::text))
             ELSE NULL::text
         END AS "case";
END;

ALTER FUNCTION app.next_cursor(items text[], page_size integer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.next_cursor(items text[], page_size integer) IS 'The cursor (app.cursor_text) with created_at and id of the last row of the page.

items: the rows as JSON, in order; one more than page_size if there is a next page. Null: there is none.';

CREATE PROCEDURE app.notify(IN channel text)
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT pg_notify(channel, ''::text) AS pg_notify
   WHERE (pg_notification_queue_usage() < (0.5)::double precision);
END;

ALTER PROCEDURE app.notify(IN channel text) OWNER TO leads_owner;

COMMENT ON PROCEDURE app.notify(IN channel text) IS 'Sends NOTIFY without data while the queue of notifications is less than half full. Every program that listens also polls, so a notification only makes it quicker.';

CREATE FUNCTION app.order_faults("order" text, cursor text, filters text[]) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 WITH fault(field, code, detail) AS (
          SELECT f_1.name,
             'not_combinable'::text AS "?column?",
             'This filter cannot be combined with order=updated_at. Leave one of them out.'::text AS "?column?"
            FROM unnest(order_faults.filters) f_1(name)
           WHERE (f_1.name IS NOT NULL)
         UNION ALL
          SELECT 'order'::text,
             'not_combinable'::text,
             'With updated_since, or with a cursor of the changes, the order is updated_at. Send that, or leave it out.'::text
           WHERE (order_faults."order" <> 'updated_at'::text)
         UNION ALL
          SELECT 'cursor'::text,
             'invalid_cursor'::text,
             'This cursor is of another order. Leave it out for the first page.'::text
           WHERE ((order_faults.cursor IS NOT NULL) AND (NOT api.is_change_cursor(order_faults.cursor)))
         )
  SELECT json_agg(json_build_object('field', f.field, 'code', f.code, 'detail', f.detail)) AS json_agg
    FROM fault f;
END;

ALTER FUNCTION app.order_faults("order" text, cursor text, filters text[]) OWNER TO leads_owner;

COMMENT ON FUNCTION app.order_faults("order" text, cursor text, filters text[]) IS 'The field errors of a request for the leads that changed. Null: there is none.

"order", cursor: the parameters. filters: the names of the other filters that are set; null: one that is not set.';

CREATE FUNCTION app.page(items text[], page_size integer, next_cursor text) RETURNS api.answer
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ROW(200, json_build_object('Next-Cursor', next_cursor), concat('{"data":[', array_to_string((items)[:page_size], ','::text), '],"next_cursor":', COALESCE((('"'::text || next_cursor) || '"'::text), 'null'::text), '}'))::api.answer AS "row";
END;

ALTER FUNCTION app.page(items text[], page_size integer, next_cursor text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.page(items text[], page_size integer, next_cursor text) IS 'The answer {"data": […], "next_cursor": …}.

items: the rows as JSON, in order; those after page_size are left out. next_cursor: what app.next_cursor has returned. The
API server makes the header Link from the header Next-Cursor. Null: there is no next page.';

CREATE FUNCTION app.page_bound(cursor text, end_at timestamp with time zone, OUT created_at timestamp with time zone, OUT id uuid) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_content text;
begin
  -- Above every row.
  created_at := 'infinity';
  id := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  if page_bound.cursor is not null then
    -- As api.is_cursor has checked: each part has its place, and the time ends with Z.
    v_content := app.cursor_content(page_bound.cursor);
    created_at := substr(v_content, 16, 24);
    id := substr(v_content, 48, 36);
  end if;
  -- end_at is exclusive: the bound is the smallest possible id at that time.
  if page_bound.end_at <= created_at then
    created_at := page_bound.end_at;
    id := '00000000-0000-0000-0000-000000000000';
  end if;
end $$;

ALTER FUNCTION app.page_bound(cursor text, end_at timestamp with time zone, OUT created_at timestamp with time zone, OUT id uuid) OWNER TO leads_owner;

COMMENT ON FUNCTION app.page_bound(cursor text, end_at timestamp with time zone, OUT created_at timestamp with time zone, OUT id uuid) IS 'The lower one of the cursor''s row and end_at, exclusive. If both are null, it is above every row.';

CREATE FUNCTION app.phone_filter_faults(phone text, reference text) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 WITH fault(field, code, detail) AS (
          SELECT 'phone'::text AS "?column?",
             'invalid_phone'::text AS "?column?",
             format('No lead can have the phone "%s". Send a number with 3 to 20 digits, such as +15550100199.'::text, "left"(phone_filter_faults.phone, 100)) AS format
           WHERE ((NOT app.is_phone(app.clean_text(phone_filter_faults.phone))) OR (app.control_character(phone_filter_faults.phone) IS NOT NULL))
         UNION ALL
          SELECT 'reference'::text,
                 CASE
                     WHEN (app.control_character(r.text) IS NOT NULL) THEN 'control_character'::text
                     WHEN (r.text = ''::text) THEN 'blank'::text
                     ELSE 'too_long'::text
                 END AS "case",
             format('No lead can have the reference "%s". A reference has 1 to 255 characters, and no control characters.'::text, "left"(phone_filter_faults.reference, 100)) AS format
            FROM ( SELECT app.clean_text(phone_filter_faults.reference) AS text) r
           WHERE ((NOT app.is_text(r.text, 255)) OR (app.control_character(r.text) IS NOT NULL))
         )
  SELECT json_agg(json_build_object('field', f.field, 'code', f.code, 'detail', f.detail)) AS json_agg
    FROM fault f;
END;

ALTER FUNCTION app.phone_filter_faults(phone text, reference text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.phone_filter_faults(phone text, reference text) IS 'A field error for a phone number, and one for a reference, that no lead can have. Null: there is none.';

CREATE FUNCTION app.phone_key(value text, country_code text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  -- The codes of countries in which 0 precedes a number, at home only.
  v_with_0 text :=
    '(20|27|31|32|33|40|41|43|44|46|49|54|55|58|60|61|62|63|64|66|81|82|84|86|90|91|92|93|94|95|98|212|213|234|254|255'
    '|256|353|355|358|359|380|381|385|386|387|389|421|880|886|961|963|964|966|967|971|972|977)';
  -- As keyboards for Chinese and Japanese send them.
  v_text text := lower(translate(phone_key.value, U&'\FF0B\FF10\FF11\FF12\FF13\FF14\FF15\FF16\FF17\FF18\FF19', '+0123456789'));
  v_number text;
  v_digits text;
  v_international text;
  v_code text := phone_key.country_code;
  v_has_0 boolean := v_code ~ ('^' || v_with_0 || '$');
begin
  v_number := regexp_replace(
    v_text, '[ ,;(-]*(?:x|extn?|extension|poste|dw|ramal|[#,;])[ .:=#]*(?:ext=)?[0-9]{1,6} *\)?$', ''
  );
  -- Anything else than one number with its usual signs, perhaps after a word, is found in its own spelling only.
  if v_number !~ U&'^(?:[a-z][a-z .]*[.: ] *)?[+([ ]*[0-9][]0-9 ()./+\00A0\202F\2010-\2015[-]*$' then
    return v_text;
  end if;
  v_digits := regexp_replace(v_number, '[^0-9]', '', 'g');
  if v_number like '%+%' then
    v_international := v_digits;
  elsif v_code = '1' and v_digits like '011%' then
    v_international := substr(v_digits, 4);
  elsif v_code = '61' and v_digits like '0011%' then
    v_international := substr(v_digits, 5);
  elsif v_digits like '00%' then
    v_international := substr(v_digits, 3);
  elsif v_code = '1' then
    v_international := '1' || substring(v_digits from '^1?([2-9][0-9]{9})$');
  elsif v_code = '7' then
    v_international := '7' || substring(v_digits from '^[78]?([0-9]{10})$');
  elsif v_code = '36' and v_digits like '06%' then
    v_international := v_code || substr(v_digits, 3);
  elsif v_code = '370' and v_digits ~ '^[08][0-9]{8}$' then
    v_international := v_code || substr(v_digits, 2);
  elsif v_code = '375' and v_digits ~ '^80[0-9]{9}$' then
    v_international := v_code || substr(v_digits, 3);
  elsif v_digits like v_code || '%' then
    -- The code without a plus, unless the number is so short that it may begin with these digits at home.
    v_international := case when length(v_digits) >= length(v_code) + 9 then v_digits end;
  elsif v_digits like '0%' and v_code not in ('39', '378', '225', '229', '242') then
    v_international := v_code || case when v_has_0 then substr(v_digits, 2) end;
  elsif length(v_digits) >= 9 or (length(v_digits) >= 6 and not v_has_0) then
    v_international := v_code || v_digits;
  end if;
  -- +44 (0)20 is +44 20.
  v_international := regexp_replace(v_international, '^' || v_with_0 || '0', '\1');
  -- E.164, section 6: at most 15 digits. No code begins with 0, and numbers of North America have 11 digits.
  return case
    when v_international ~ '^(1[0-9]{10}|[2-9][0-9]{6,14})$' then '+' || v_international
    else v_digits
  end;
end $_$;

ALTER FUNCTION app.phone_key(value text, country_code text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.phone_key(value text, country_code text) IS 'The phone number in E.164, such as +15550100199; only its digits, if it has no country code and is not surely complete.

value: a text with 3 to 20 digits (app.is_phone). Null for null. A text that is not one number, such as 1-800-FLOWERS, is returned in
lower case. country_code: the calling code of numbers without one, 1 to 3 digits; null: not known. International numbers begin
with + or 00, with 011 where country_code is 1, and with 0011 where it is 61. The national prefix and an extension are left out.
Numbering plans: ITU-T E.164, and the list of dialling procedures of the ITU-T (Operational Bulletin 994).';

CREATE FUNCTION app.phone_keys(value text, organization_id uuid) RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ARRAY[app.phone_key(app.clean_text(phone_keys.value), o.country_code), app.phone_key(('+'::text || "substring"(phone_keys.value, '^\(? ([( ]*[0-9].*)$'::text)), o.country_code)] AS "array"
    FROM app.organization o
   WHERE (o.organization_id = phone_keys.organization_id);
END;

ALTER FUNCTION app.phone_keys(value text, organization_id uuid) OWNER TO leads_owner;

COMMENT ON FUNCTION app.phone_keys(value text, organization_id uuid) IS 'The one or two keys (app.phone_key) of a phone number that someone looks for, and null. A space before it may stand for a plus sign.';

CREATE FUNCTION app.plain_lead(organization_id uuid, fields jsonb, is_new boolean DEFAULT true) RETURNS app.lead_values
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_lead app.lead_values;
begin
  -- The fields and their limits are written out, because a query of app.lead_field costs more than
  -- twice as much (93 instead of 40 µs). Each transaction prepares each operator again, so there are
  -- few of them. A null has no fault, except in two fields. The paths are strict, because otherwise
  -- an array counts as its elements.
  if plain_lead.fields - (case
      when plain_lead.is_new then array[
        'name', 'company', 'email', 'source', 'lead_score', 'pipeline_stage', 'industry', 'company_size', 'pain_points',
        'timeline', 'budget_range', 'ai_reasoning', 'phone', 'reference'
      ]
      else array[
        'name', 'company', 'email', 'source', 'lead_score', 'pipeline_stage', 'industry', 'company_size', 'pain_points',
        'timeline', 'budget_range', 'ai_reasoning'
      ]
    end) <> '{}'
    or (plain_lead.fields - 'lead_score') @? 'strict $.* ? (@.type() != "string" && @ != null)'
    or plain_lead.fields @? 'strict $.lead_score ? (@.type() != "number" || @ < 0 || @ > 100)'
    -- 87.0 is valid, but its text is no integer.
    or scale((plain_lead.fields -> 'lead_score')::numeric) > 0
    or plain_lead.fields @? 'strict $.pipeline_stage ? (@ == null)'
  then
    return null;
  end if;
  v_lead := jsonb_populate_record(null::app.lead_values, plain_lead.fields);
  if (
    app.is_plain_text(v_lead.name, 255)
    and app.is_plain_text(v_lead.company, 255)
    and app.is_email(v_lead.email)
    and app.is_name(v_lead.source)
    and app.is_plain_text(v_lead.industry, 128)
    and app.is_plain_text(v_lead.company_size, 128)
    and app.is_plain_text(v_lead.pain_points, 10000)
    and app.is_plain_text(v_lead.timeline, 128)
    and app.is_plain_text(v_lead.budget_range, 128)
    and app.is_plain_text(v_lead.ai_reasoning, 10000)
    and app.is_plain_text(v_lead.phone, 64)
    and app.is_phone(v_lead.phone)
    and app.is_plain_text(v_lead.reference, 255)
  ) is false then
    return null;
  end if;
  -- Each organization has the stage "new".
  if plain_lead.fields ->> 'pipeline_stage' <> 'new' and not exists (
    select from app.pipeline_stage as p
    where p.organization_id = plain_lead.organization_id and p.name = plain_lead.fields ->> 'pipeline_stage'
  ) then
    return null;
  end if;
  return v_lead;
end $_$;

ALTER FUNCTION app.plain_lead(organization_id uuid, fields jsonb, is_new boolean) OWNER TO leads_owner;

COMMENT ON FUNCTION app.plain_lead(organization_id uuid, fields jsonb, is_new boolean) IS 'A lead with the fields that a client sends, if these have no fault and are stored as they are.

fields: a JSON object. is_new: whether phone and reference are allowed; a body with details is never plain. Returns null, or a lead of nulls, if there may be a fault: then app.lead_faults finds it, and
app.lead_from reads the fields. Most leads need neither function. They cost 226 µs, and this one 40 µs.';

CREATE FUNCTION app.punycode(label text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- The names are those of RFC 3492, section 6.3.
  v_points integer[] := array(
    select ascii(c.character)
    from string_to_table(punycode.label, null) with ordinality as c (character, position)
    order by c.position
  );
  v_output text := regexp_replace(punycode.label, '[^\u0001-\u007F]', '', 'g');
  v_basic integer := length(v_output);
  v_handled integer := v_basic;
  v_n integer := 128;
  v_delta integer := 0;
  v_bias integer := 72;
  v_point integer;
  v_next integer;
  v_q integer;
  v_k integer;
  v_t integer;
begin
  if v_basic > 0 then
    v_output := v_output || '-';
  end if;
  while v_handled < cardinality(v_points) loop
    v_next := (select min(p.point) from unnest(v_points) as p (point) where p.point >= v_n);
    v_delta := v_delta + (v_next - v_n) * (v_handled + 1);
    v_n := v_next;
    foreach v_point in array v_points loop
      if v_point < v_n then
        v_delta := v_delta + 1;
      elsif v_point = v_n then
        v_q := v_delta;
        v_k := 36;
        loop
          v_t := least(greatest(v_k - v_bias, 1), 26);
          exit when v_q < v_t;
          v_output := v_output || substr('abcdefghijklmnopqrstuvwxyz0123456789', v_t + (v_q - v_t) % (36 - v_t) + 1, 1);
          v_q := (v_q - v_t) / (36 - v_t);
          v_k := v_k + 36;
        end loop;
        v_output := v_output || substr('abcdefghijklmnopqrstuvwxyz0123456789', v_q + 1, 1);
        -- The bias is adapted (section 6.1).
        v_handled := v_handled + 1;
        v_delta := v_delta / case when v_handled = v_basic + 1 then 700 else 2 end;
        v_delta := v_delta + v_delta / v_handled;
        v_k := 0;
        while v_delta > 455 loop
          v_delta := v_delta / 35;
          v_k := v_k + 36;
        end loop;
        v_bias := v_k + 36 * v_delta / (v_delta + 38);
        v_delta := 0;
      end if;
    end loop;
    v_delta := v_delta + 1;
    v_n := v_n + 1;
  end loop;
  return v_output;
end $$;

ALTER FUNCTION app.punycode(label text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.punycode(label text) IS 'The label in Punycode (RFC 3492), without the prefix xn--. The label has at most 254 characters.';

CREATE FUNCTION app.raise_faults(status integer, code text, errors json) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if raise_faults.errors is not null then
    raise exception using
      errcode = 'PT' || raise_faults.status,
      message = raise_faults.code,
      detail = raise_faults.errors::text;
  end if;
end $$;

ALTER FUNCTION app.raise_faults(status integer, code text, errors json) OWNER TO leads_owner;

COMMENT ON FUNCTION app.raise_faults(status integer, code text, errors json) IS 'Raises PT<status> with the code as its message and the errors, a JSON array of {field, code, detail}, as its detail. Does nothing if errors is null.';

CREATE FUNCTION app.raise_precondition_failed(if_match text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- A tag that a proxy has altered does not show that the record has changed.
  raise sqlstate 'PT412' using message = 'precondition_failed', hint = case
    when raise_precondition_failed.if_match ~ 'W/"' then
      'If-Match contains a weak tag (W/"…"), and a weak tag never matches, even if the record has not changed. Send the '
      'ETag as the API sets it. A proxy that compresses responses makes tags weak: with nginx, set gzip off.'
    when raise_precondition_failed.if_match ~ '-[a-z]+"' then
      'If-Match contains a tag that the API did not set, with a suffix such as -gzip. A proxy that compresses '
      'responses adds it: with Apache, set DeflateAlterETag NoChange.'
    else ''
  end;
end $$;

ALTER FUNCTION app.raise_precondition_failed(if_match text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.raise_precondition_failed(if_match text) IS 'Raises PT412 precondition_failed. The hint names the proxy that has probably altered the tag, if one has.';

CREATE FUNCTION app.read_email(value text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    BEGIN ATOMIC
 SELECT app.ascii_email(replace(app.clean_text(value), ' '::text, '+'::text)) AS ascii_email;
END;

ALTER FUNCTION app.read_email(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.read_email(value text) IS 'The address in a filter by email, as the lead has it. A space between other characters stands for a plus sign.';

CREATE FUNCTION app.read_instant(value text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_parts text[] := regexp_match(
    read_instant.value collate "C",
    '^([0-9]{4}-[0-9]{2}-[0-9]{2})'
    '(?:[Tt ]((?:[01][0-9]|2[0-3]):[0-5][0-9])(?::([0-5][0-9]|60)(\.[0-9]+)?)?'
    -- A plus sign in a query that is not percent-encoded arrives as a space.
    ' ?(?:[Zz]|([+ -])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?))?$'
  );
  v_offset interval;
  v_instant timestamptz;
begin
  if v_parts is null then
    return null;
  end if;
  v_offset := make_interval(hours => coalesce(v_parts[6], '0')::integer, mins => coalesce(v_parts[7], '0')::integer);
  -- PostgreSQL accepts offsets below 16 hours only, and RFC 3339 permits offsets up to 23:59.
  v_instant :=
    concat(v_parts[1], ' ', coalesce(v_parts[2], '00:00'), ':', coalesce(v_parts[3], '00'), left(v_parts[4], 7))::timestamp
      at time zone 'UTC'
    + case v_parts[5] when '-' then v_offset else -v_offset end;
  if
    v_instant >= '0001-01-01 00:00:00Z'
    and v_instant < '10000-01-01 00:00:00Z'
    -- A leap second is the last one of a day in UTC. It is read as the first second of the next day.
    and (v_parts[3] is distinct from '60' or (v_instant at time zone 'UTC')::time < '00:00:01')
  then
    return v_instant;
  end if;
  return null;
exception
  -- A day that does not exist, such as February 30.
  when datetime_field_overflow then
    return null;
end $_$;

ALTER FUNCTION app.read_instant(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.read_instant(value text) IS 'The time in an ISO 8601 text. Null: the text is no such time.

Accepts YYYY-MM-DD (midnight UTC), or a date and time with Z or an offset, in the years 1 to 9999. T can be a space; the
seconds and their fraction are optional; an offset is +02:00, +0200 or +02. The result has microseconds, truncated.';

CREATE FUNCTION app.read_object(body text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_brackets integer := octet_length(read_object.body)
    - octet_length(replace(replace(read_object.body, '[', ''), '{', ''));
  v_without_texts text;
  v_object jsonb;
  v_is_unique boolean;
begin
  -- Before 16, PostgreSQL can't tell whether a key occurs twice.
  if v_brackets > 500 or (v_brackets > 1 and current_setting('server_version_num')::integer < 160000) then
    -- The parts between quotes are alternately outside and inside of a text, after escaped
    -- backslashes and quotes are removed.
    v_without_texts := (
      select string_agg(p.part, '')
      from string_to_table(replace(replace(read_object.body, '\\', ''), '\"', ''), '"') with ordinality as p (part, position)
      where p.position % 2 = 1
    );
    if octet_length(v_without_texts) - octet_length(replace(replace(v_without_texts, '[', ''), '{', '')) > 500 then
      -- Text that is not JSON is reported as such. The cast to json costs less than one to jsonb.
      perform read_object.body::json;
      raise statement_too_complex;
    end if;
  end if;
  -- Fails for invalid JSON, a NUL, a lone surrogate or deep nesting: see SQLSTATEs in api.problem.
  v_object := read_object.body::jsonb;
  if jsonb_typeof(v_object) <> 'object' then
    perform app.raise_faults(400, 'invalid_body', json_build_array(json_build_object(
      'field', 'body', 'code', 'not_an_object', 'detail', 'The body must be a JSON object.'
    )));
  end if;
  if v_brackets > 32 and jsonb_path_exists(v_object, 'strict $.**{33}') then
    raise statement_too_complex;
  end if;
  if current_setting('server_version_num')::integer >= 160000 then
    v_is_unique := (read_object.body is json with unique keys);
  elsif v_brackets = 1 then
    -- A flat object. jsonb has each key once.
    v_is_unique := (select count(*) from json_object_keys(read_object.body::json))
      = (select count(*) from jsonb_object_keys(v_object));
  else
    -- Outside of texts, each colon follows a key.
    v_is_unique := octet_length(v_without_texts) - octet_length(replace(v_without_texts, ':', '')) = (
      select sum((select count(*) from jsonb_object_keys(o.object)))
      from jsonb_path_query(v_object, 'strict $.** ? (@.type() == "object")') as o (object)
    );
  end if;
  if not v_is_unique then
    perform app.raise_faults(400, 'invalid_body', (
      select coalesce(json_agg(f.fault order by f.field), json_build_array(json_build_object(
        'field', 'body', 'code', 'duplicate_key', 'detail', 'A nested object in the body has a key more than once.'
      )))
      from (
        select
          left(k.key, 100) as field,
          json_build_object(
            'field', left(k.key, 100), 'code', 'duplicate_key', 'detail', 'The body has this key more than once.'
          ) as fault
        from app.duplicate_keys(read_object.body::json) as k (key)
      ) as f
    ));
  end if;
  return v_object;
end $_$;

ALTER FUNCTION app.read_object(body text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.read_object(body text) IS 'The body as jsonb. Raises PT400 invalid_body if it is no object or has a key twice (RFC 8259, section 4), and 54001 if a value is nested in more than 32 objects and arrays, or if there are more than 500 of them.';

CREATE FUNCTION app.search_faults(q text, words text[], filters text[]) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 WITH fault(field, code, detail) AS (
          SELECT 'q'::text AS "?column?",
             'control_character'::text AS "?column?",
             'This has a control character. Leave it out.'::text AS "?column?"
           WHERE (app.control_character(search_faults.q) IS NOT NULL)
         UNION ALL
          SELECT 'q'::text,
             'blank'::text,
             'This has no word. Send a word with a letter or a digit.'::text
           WHERE (cardinality(search_faults.words) = 0)
         UNION ALL
          SELECT 'q'::text,
             'too_many_words'::text,
             format('This has %s words. Send at most 5.'::text, cardinality(search_faults.words)) AS format
           WHERE (cardinality(search_faults.words) > 5)
         UNION ALL
          SELECT f_1.name,
             'not_combinable'::text,
             'This cannot be combined with q. Leave one of them out.'::text
            FROM unnest(search_faults.filters) f_1(name)
           WHERE (f_1.name IS NOT NULL)
         )
  SELECT json_agg(json_build_object('field', f.field, 'code', f.code, 'detail', f.detail)) AS json_agg
    FROM fault f;
END;

ALTER FUNCTION app.search_faults(q text, words text[], filters text[]) OWNER TO leads_owner;

COMMENT ON FUNCTION app.search_faults(q text, words text[], filters text[]) IS 'The field errors of a search. Null: there is none.

q: the search. words: those of app.search_words. filters: the names of the parameters that are set and can''t be combined with a search; null:
one that is not set.';

CREATE FUNCTION app.search_words(q text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ARRAY( SELECT (w.word COLLATE "C") AS word
            FROM (regexp_split_to_table(lower(search_words.q), '\s+'::text) t(text)
              CROSS JOIN LATERAL ( SELECT t.text
                   WHERE (t.text ~ '^[^@]+@'::text)
                 UNION ALL
                  SELECT s.word
                    FROM regexp_split_to_table(t.text, '[^[:alnum:]]+'::text) s(word)
                   WHERE (t.text !~ '^[^@]+@'::text)) w(word))
           WHERE (w.word <> ''::text)
           GROUP BY w.word) AS "array";
END;

ALTER FUNCTION app.search_words(q text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.search_words(q text) IS 'The words of a search in lower case, each once, separated as app.lead_words separates them. A word with an @ inside is the beginning of an e-mail address.';

CREATE FUNCTION app.stage_names(organization_id uuid) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT string_agg(s.name, ', '::text ORDER BY s."position") AS string_agg
    FROM ( SELECT p.name,
             p."position"
            FROM app.pipeline_stage p
           WHERE (p.organization_id = stage_names.organization_id)
           ORDER BY p."position"
          LIMIT 50) s;
END;

ALTER FUNCTION app.stage_names(organization_id uuid) OWNER TO leads_owner;

COMMENT ON FUNCTION app.stage_names(organization_id uuid) IS 'The first 50 pipeline stages of the organization, in their order, separated by commas.';

CREATE FUNCTION app.stage_filter_faults(organization_id uuid, stages text[]) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT json_agg(json_build_object('field', 'pipeline_stage', 'code', 'unknown_stage', 'detail', (format('There is no pipeline stage "%s" in this organization. The stages are: %s.'::text, "left"(s.name, 100), app.stage_names(stage_filter_faults.organization_id)) || app.character_note(s.name)))) AS json_agg
    FROM unnest(stage_filter_faults.stages) s(name)
   WHERE (NOT (EXISTS ( SELECT
            FROM app.pipeline_stage p
           WHERE ((p.organization_id = stage_filter_faults.organization_id) AND (p.name = s.name)))));
END;

ALTER FUNCTION app.stage_filter_faults(organization_id uuid, stages text[]) OWNER TO leads_owner;

COMMENT ON FUNCTION app.stage_filter_faults(organization_id uuid, stages text[]) IS 'A field error for each stage that the organization doesn''t have. Null: it has all of them.';

CREATE FUNCTION app.tg_lead__stamp() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_lead app.lead_values;
  v_phone_key text := old.phone_key;
begin
  if tg_op = 'INSERT' then
    new.revision := 1;
    if new.phone is not null then
      new.phone_key := app.phone_key(new.phone, app.country_code(new.organization_id));
    end if;
    if new.pipeline_stage = 'qualified' then
      new.qualification_completed_at := coalesce(new.qualification_completed_at, new.created_at);
    end if;
  else
    if new.phone is distinct from old.phone or new.phone_key is distinct from old.phone_key then
      v_phone_key := app.phone_key(new.phone, app.country_code(new.organization_id));
    end if;
    -- Generated columns are computed later, and the item and the key of the phone below.
    new.phone_key := old.phone_key;
    new.email_key := old.email_key;
    new.pipeline_stage_and_source := old.pipeline_stage_and_source;
    new.item := old.item;
    -- An update that changes nothing else keeps the revision and the times.
    if new is distinct from old then
      if (new.organization_id, new.id, new.created_at) is distinct from (old.organization_id, old.id, old.created_at) then
        raise sqlstate 'PT409' using
          message = 'lead_identity_is_fixed',
          hint = 'organization_id, id and created_at of a lead never change.';
      end if;

      new.qualification_completed_at := old.qualification_completed_at;
      -- The clock can be set back, and a transaction that began earlier can write later.
      new.updated_at := greatest(date_trunc('milliseconds', now()), old.updated_at);
      if new.pipeline_stage = 'qualified' then
        new.qualification_completed_at := coalesce(old.qualification_completed_at, new.updated_at);
      end if;
      new.revision := old.revision + 1;
    end if;
    new.phone_key := v_phone_key;
  end if;

  v_lead := new;
  new.item := row_to_json(app.lead_item(v_lead))::text;
  return new;
end $$;

ALTER FUNCTION app.tg_lead__stamp() OWNER TO leads_owner;

COMMENT ON FUNCTION app.tg_lead__stamp() IS 'Increments revision, sets updated_at and phone_key, sets qualification_completed_at when the lead first reaches the stage "qualified", and sets item. An UPDATE cannot set these columns itself. One that changes no other column only sets item and phone_key.';

CREATE FUNCTION app.tg_organization__add_pipeline_stages() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into app.pipeline_stage (organization_id, name, position)
  select new.organization_id, s.name, s.position
  from unnest(array['new', 'contacted', 'qualified', 'proposal', 'won', 'lost']) with ordinality as s (name, position);
  return null;
end $$;

ALTER FUNCTION app.tg_organization__add_pipeline_stages() OWNER TO leads_owner;

COMMENT ON FUNCTION app.tg_organization__add_pipeline_stages() IS 'Adds the six initial stages to a new organization.';

CREATE FUNCTION app.tg_pipeline_stage__keep_new() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise sqlstate 'PT409' using
    message = 'stage_new_is_needed',
    hint = 'The stage "new" can''t be removed or renamed: it is the initial stage of every lead.';
end $$;

ALTER FUNCTION app.tg_pipeline_stage__keep_new() OWNER TO leads_owner;

COMMENT ON FUNCTION app.tg_pipeline_stage__keep_new() IS 'Refuses to remove or rename the stage "new".';

CREATE FUNCTION app.trim_text(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT btrim(value, '	

                  　'::text) AS btrim;
END;

ALTER FUNCTION app.trim_text(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION app.trim_text(value text) IS 'The text without white space at its ends: the 25 characters of Unicode''s property White_Space, in every locale of the database.';

CREATE FUNCTION app.unindexed_leads(organization_id uuid, "limit" integer) RETURNS uuid[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := unindexed_leads.organization_id;
  v_events uuid[];
  v_queued uuid[];
begin
  v_queued := array(
    select u.lead_id from app.unindexed_lead as u where u.organization_id = v_organization_id limit unindexed_leads.limit
  );
  if cardinality(v_queued) = unindexed_leads.limit then
    return v_queued;
  end if;
  v_events := array(
    select u.event_id from audit.unsealed as u where u.organization_id = v_organization_id limit unindexed_leads.limit
  );
  if cardinality(v_events) = unindexed_leads.limit then
    return v_events;
  end if;
  return array(
    select q.id from unnest(v_queued) as q (id)
    union
    select e.lead_id
    from unnest(v_events) as u (event_id)
    -- OFFSET prevents a join that would read all events.
    cross join lateral (
      select e.lead_id, e.action
      from audit.event as e
      where e.organization_id = v_organization_id and e.id = u.event_id and e.created_at = app.id_time(u.event_id)
      offset 0
    ) as e
    where e.action in ('lead.created', 'lead.updated')
    limit unindexed_leads.limit
  );
end $$;

ALTER FUNCTION app.unindexed_leads(organization_id uuid, "limit" integer) OWNER TO leads_owner;

COMMENT ON FUNCTION app.unindexed_leads(organization_id uuid, "limit" integer) IS 'The leads that were created or changed, and whose words admin.index_leads has not stored since: those with an event that is
not sealed yet, and those in app.unindexed_lead. Usually they are the leads of the last second.

"limit": the number of ids. If the array has as many, there may be more, and it may contain ids of events instead.';

CREATE FUNCTION audit.chain_verdict(organization_id uuid, after bigint, "limit" integer, head api.chain_head DEFAULT NULL::text) RETURNS api.chain_verdict
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    SET enable_sort TO 'off'
    AS $$
declare
  v_organization_id uuid := chain_verdict.organization_id;
  v_before audit.seal;
  v_last audit.seal;
  v_first_id uuid;
  v_last_id uuid;
  v_is_end boolean;
  v_unsealed bigint;
  v_fault api.chain_fault;
  v_verdict api.chain_verdict;
begin
  select s.* into v_before
  from audit.seal as s
  where s.organization_id = v_organization_id and s.position = chain_verdict.after;
  select p.* into v_last
  from (
    select s.*
    from audit.seal as s
    where s.organization_id = v_organization_id and s.position > chain_verdict.after
    order by s.position
    limit chain_verdict.limit
  ) as p
  order by p.position desc
  limit 1;
  v_is_end := not exists (
    select
    from audit.seal as s
    where s.organization_id = v_organization_id and s.position > coalesce(v_last.position, chain_verdict.after)
  );
  select count(*) into v_unsealed
  from (select from audit.unsealed as u where u.organization_id = v_organization_id limit 10000) as u;

  if
    chain_verdict.head is not null
    and not exists (
      select
      from audit.seal as s
      where
        s.organization_id = v_organization_id
        and s.position = split_part(chain_verdict.head, ':', 1)::bigint
        and s.hash = decode(split_part(chain_verdict.head, ':', 2), 'hex')
    )
  then
    v_fault.position := split_part(chain_verdict.head, ':', 1);
    v_fault.code := 'head_mismatch';
  elsif chain_verdict.after > 0 and v_before.position is null then
    v_fault.position := chain_verdict.after;
    v_fault.code := 'seal_missing';
  else
    with page as (
      select
        s.position, s.event_id, s.event_hash, s.hash, s.created_at,
        chain_verdict.after + row_number() over chain as expected_position,
        coalesce(lag(s.hash) over chain, v_before.hash, sha256(uuid_send(v_organization_id))) as hash_before
      from audit.seal as s
      where
        s.organization_id = v_organization_id
        and s.position > chain_verdict.after
        and s.position <= v_last.position
      window chain as (order by s.position, s.event_id)
    ),
    sealed as materialized (
      select
        p.position, p.event_id, p.expected_position, e.lead_id, e.id is not null as is_there,
        (
          p.hash = sha256(p.hash_before || p.event_hash)
          and p.event_hash = audit.event_hash(
            p.position, e.id, e.organization_id, e.action, e.source, e.correlation_id, e.lead_id, e.payload_digest,
            e.created_at
          )
        ) as is_chained,
        e.payload_digest as written, sha256(coalesce(e.salt, '') || convert_to(e.payload::text, 'UTF8')) as present,
        e.salt, e.payload
      from page as p
      left join audit.event as e
        on e.organization_id = v_organization_id and e.id = p.event_id and e.created_at = p.created_at
    ),
    telling as (
      select e.*
      from (select distinct s.lead_id from sealed as s where s.present is distinct from s.written) as l
      join audit.event as e
        on e.organization_id = v_organization_id and e.lead_id = l.lead_id and e.action = 'lead.erased'
      union all
      -- This event lists events of all leads, so it is read once and not once for each lead.
      select e.*
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id is null
        and e.action = 'organization.erased'
        and exists (select from sealed as s where s.present is distinct from s.written)
    ),
    -- The digests of erased payloads, which a lead.erased or organization.erased event lists.
    listed as materialized (
      select (i.item ->> 'event_id')::uuid as event_id, decode(i.item ->> 'digest', 'hex') as digest
      from telling as e
      cross join lateral json_array_elements(e.payload -> 'erased') as i (item)
      where
        e.payload_digest = sha256(e.salt || convert_to(e.payload::text, 'UTF8'))
        and (
          exists (
            select
            from audit.seal as s
            where s.organization_id = v_organization_id and s.event_id = e.id and s.created_at = e.created_at
          )
          or exists (select from audit.unsealed as u where u.organization_id = v_organization_id and u.event_id = e.id)
        )
    )
    select s.position, s.event_id, f.code
    into v_fault.position, v_fault.event_id, v_fault.code
    from sealed as s
    cross join lateral (
      select
        case
          when s.position <> s.expected_position then 'seal_missing'
          when not s.is_there then 'event_missing'
          when not s.is_chained then 'hash_mismatch'
          when
            s.present is distinct from s.written
            and (
              not exists (select from listed as l where l.event_id = s.event_id and l.digest = s.present)
              -- The payload must also have the form that an erasure leaves.
              or s.salt is not null
              or audit.erased_payload(s.payload)::text <> s.payload::text
            )
            then 'payload_mismatch'
        end as code
    ) as f
    where f.code is not null
    order by s.position, s.event_id
    limit 1;

    if v_fault.code = 'seal_missing' then
      v_fault.event_id := null;
      v_fault.position := (
        select coalesce(max(s.position), chain_verdict.after) + 1
        from audit.seal as s
        where s.organization_id = v_organization_id and s.position < v_fault.position
      );
    elsif v_fault.code is null then
      -- Events without a seal. The search starts after the previous part's last event, so that
      -- consecutive parts cover every event.
      select e.id
      into v_fault.event_id
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and (v_before.position is null or e.id > v_before.event_id)
        and (v_before.position is null or e.created_at >= v_before.created_at)
        and (v_is_end or e.id <= v_last.event_id)
        and (v_is_end or e.created_at <= v_last.created_at)
        and not exists (
          select
          from audit.seal as s
          where s.organization_id = v_organization_id and s.event_id = e.id and s.created_at = e.created_at
        )
        and not exists (select from audit.unsealed as u where u.organization_id = v_organization_id and u.event_id = e.id)
      order by e.id
      limit 1;
      if found then
        v_fault.code := 'not_sealed';
      elsif v_is_end then
        select u.event_id
        into v_fault.event_id
        from audit.unsealed as u
        where
          u.organization_id = v_organization_id
          and not exists (
            select
            from audit.event as e
            where
              e.organization_id = v_organization_id
              and e.id = u.event_id
              and e.created_at = app.id_time(u.event_id)
          )
        order by u.event_id
        limit 1;
        if found then
          v_fault.code := 'event_missing';
        end if;
      end if;
    end if;
  end if;

  v_fault.detail := case v_fault.code
    when 'head_mismatch' then 'The chain that the head was taken from isn''t this one: seals were removed or written again.'
    when 'seal_missing' then 'There is no seal at this position: it was removed, or there never was one.'
    when 'event_missing' then 'The event was removed from the log, or its id or its time was changed.'
    when 'hash_mismatch' then 'The event or its seal was changed, or another was put in its place.'
    when 'payload_mismatch' then 'The event''s payload was changed, and no erasure tells of it.'
    when 'not_sealed' then 'The event neither has a seal nor waits for one: it was put into the log behind its back.'
  end;
  v_verdict.organization_id := v_organization_id;
  v_verdict.holds := v_fault.code is null;
  v_verdict.fault := case when v_fault.code is not null then v_fault end;
  v_verdict.verified_from := chain_verdict.after + 1;
  v_verdict.verified_to := coalesce(v_last.position, chain_verdict.after);
  v_verdict.next_after := case when not v_is_end then v_last.position::text end;
  if v_last.position is null then
    v_last := v_before;
  end if;
  v_verdict.head := v_last.position || ':' || encode(v_last.hash, 'hex');
  v_verdict.unsealed := v_unsealed;
  return v_verdict;
end $$;

ALTER FUNCTION audit.chain_verdict(organization_id uuid, after bigint, "limit" integer, head api.chain_head) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.chain_verdict(organization_id uuid, after bigint, "limit" integer, head api.chain_head) IS 'Verifies up to "limit" seals after a position, and the events that they seal. Reports the first fault.

after: the position of the last seal that was verified before; 0 starts at the beginning of the chain. "limit": a number of
seals. head: a head that was exported earlier and kept elsewhere, which the chain must still contain; null: none.
Runs with the caller''s rights, so row-level security applies.';

CREATE FUNCTION audit.create_partitions(year integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_table text;
  v_partition text;
  v_column name;
begin
  foreach v_table in array array['event', 'seal'] loop
    v_partition := v_table || '_' || create_partitions.year;
    continue when to_regclass('audit.' || v_partition) is not null;
    -- Of two sessions, the second waits here, and then finds the partition.
    execute format('lock table audit.%I in share update exclusive mode', v_table);
    continue when to_regclass('audit.' || v_partition) is not null;

    -- Not CREATE TABLE … PARTITION OF, which would block every reader and writer of the log.
    execute format(
      'create table audit.%I (like audit.%I including defaults including generated including constraints '
      'including indexes including storage)',
      v_partition, v_table
    );
    if v_table = 'seal' then
      execute format(
        'alter table audit.%I add constraint %I unique (organization_id, position)',
        v_partition, v_partition || '_position_is_unique'
      );
    end if;
    -- Without a policy nobody reads or writes the partition by its own name, its owner included.
    execute format('alter table audit.%I enable row level security, force row level security', v_partition);
    for v_column in
      select a.attname
      from pg_catalog.pg_attribute as a
      where a.attrelid = to_regclass('audit.' || v_partition) and a.attnum > 0
    loop
      execute format('alter table audit.%I alter column %I set statistics 0', v_partition, v_column);
    end loop;
    -- A statement on the partition fires only the partition's own statement triggers.
    execute format(
      'create trigger _100_refuse_change before update or delete or truncate on audit.%I '
      'for each statement execute function audit.tg_refuse(%L)',
      v_partition, format('Use audit.%s, which is append-only.', v_table)
    );
    execute format('alter table audit.%I enable always trigger _100_refuse_change', v_partition);
    execute format(
      'comment on table audit.%I is %L',
      v_partition, format('The rows of audit.%s of the year %s in UTC.', v_table, create_partitions.year)
    );
    execute format(
      'alter table audit.%I attach partition audit.%I for values from (%L) to (%L)',
      v_table, v_partition,
      create_partitions.year || '-01-01 00:00:00Z', create_partitions.year + 1 || '-01-01 00:00:00Z'
    );
  end loop;
end $$;

ALTER FUNCTION audit.create_partitions(year integer) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.create_partitions(year integer) IS 'Creates the partitions of audit.event and audit.seal for a year in UTC, unless they exist.

A partition has what PostgreSQL does not copy from the parent: row-level security, statistics 0 on every column, and a
trigger that refuses UPDATE, DELETE and TRUNCATE by the partition''s name. Raises 55P03 if a lock cannot be had in 2 seconds.';

CREATE FUNCTION audit.details_change(old_details jsonb, new_details jsonb) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT json_build_object('from', jsonb_object_agg(c.key, c.old_value) FILTER (WHERE (c.old_value IS NOT NULL)), 'to', jsonb_object_agg(c.key, c.new_value) FILTER (WHERE (c.new_value IS NOT NULL))) AS json_build_object
    FROM ( SELECT COALESCE(o.key, n.key) AS key,
             o.value AS old_value,
             n.value AS new_value
            FROM (jsonb_each(details_change.old_details) o(key, value)
              FULL JOIN jsonb_each(details_change.new_details) n(key, value) ON ((n.key = o.key)))) c
   WHERE (c.old_value IS DISTINCT FROM c.new_value);
END;

ALTER FUNCTION audit.details_change(old_details jsonb, new_details jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.details_change(old_details jsonb, new_details jsonb) IS 'The object {"from": …, "to": …} with the details that differ. null: none. old_details, new_details: details, or null.';

CREATE FUNCTION audit.erase_events(organization_id uuid, lead_id uuid) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_event record;
  v_items text[] := '{}';
begin
  for v_event in
    select
      e.id,
      e.created_at,
      p.payload,
      e.payload_digest = sha256(e.salt || convert_to(e.payload::text, 'UTF8')) as is_as_written
    from audit.event as e
    cross join lateral (select audit.erased_payload(e.payload) as payload offset 0) as p
    where
      e.organization_id = erase_events.organization_id
      and (e.lead_id = erase_events.lead_id or erase_events.lead_id is null)
      and e.salt is not null
      -- Events about an erasure or a read contain no personal values.
      and e.action not in ('lead.erased', 'organization.erased', 'lead.read')
      and p.payload::text <> e.payload::text
    order by e.id
  loop
    update audit.event as e
    set payload = v_event.payload, salt = null
    where
      e.organization_id = erase_events.organization_id
      and e.id = v_event.id
      and e.created_at = v_event.created_at;
    -- An event that was tampered with is not listed, so that the verification still reports it.
    continue when not v_event.is_as_written;
    v_items := v_items || format(
      '{"event_id":"%s","digest":"%s"}', v_event.id, encode(sha256(convert_to(v_event.payload::text, 'UTF8')), 'hex')
    );
  end loop;
  return v_items;
end $$;

ALTER FUNCTION audit.erase_events(organization_id uuid, lead_id uuid) OWNER TO leads_eraser;

COMMENT ON FUNCTION audit.erase_events(organization_id uuid, lead_id uuid) IS 'Erases the personal values in a lead''s events; if lead_id is null, in all events of the organization.

Returns a JSON text {"event_id": …, "digest": …} for each event that it changed, except for events whose payload had been
tampered with. digest: the SHA-256 of the payload that remains, in hexadecimal digits.';

CREATE FUNCTION audit.erase_organization(organization_id uuid) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := erase_organization.organization_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_items text[];
begin
  perform from app.organization as o where o.organization_id = v_organization_id for update;
  if exists (select from app.lead as l where l.organization_id = v_organization_id) then
    raise sqlstate 'PT409' using
      message = 'leads_left', hint = 'New leads arrived during the erasure. Run the command again: leads erase --organization ID';
  end if;
  delete from intake.client as c where c.organization_id = v_organization_id;
  delete from intake.submission as s where s.organization_id = v_organization_id;
  delete from intake.form as f where f.organization_id = v_organization_id;
  delete from app.idempotency_key as k where k.organization_id = v_organization_id;
  delete from scoring.model as m where m.organization_id = v_organization_id;
  delete from app.pipeline_stage as p where p.organization_id = v_organization_id;
  update app.organization as o
  set name = null, erased_at = v_now
  where o.organization_id = v_organization_id and o.erased_at is null;

  -- This includes the events that the statements above wrote.
  v_items := audit.erase_events(v_organization_id, null);
  if cardinality(v_items) > 0 then
    perform audit.record_erasure(
      v_organization_id, null, concat('"organization":"', v_organization_id, '","erased":[', array_to_string(v_items, ','), ']')
    );
  end if;
  return cardinality(v_items);
end $$;

ALTER FUNCTION audit.erase_organization(organization_id uuid) OWNER TO leads_eraser;

COMMENT ON FUNCTION audit.erase_organization(organization_id uuid) IS 'Erases an organization whose leads are already erased. Returns the number of events that were changed.

It deletes the stages, models, kept answers and the name, erases the values in all events, and writes the event
organization.erased. The id, the log and its seals are kept.
Raises PT409 leads_left if the organization has leads.';

CREATE FUNCTION audit.erase_own_lead(lead_id uuid) RETURNS TABLE(wait_seconds numeric, rows_gone bigint, events bigint, copies json)
    LANGUAGE sql SECURITY DEFINER
    BEGIN ATOMIC
 SELECT e.wait_seconds,
     e.rows_gone,
     e.events,
     e.copies
    FROM audit.erase_lead(auth.organization_id('admin'::text), erase_own_lead.lead_id) e(wait_seconds, rows_gone, events, copies);
END;

ALTER FUNCTION audit.erase_own_lead(lead_id uuid) OWNER TO leads_eraser;

COMMENT ON FUNCTION audit.erase_own_lead(lead_id uuid) IS 'The same as audit.erase_lead, for the organization of an admin key that this transaction has proven. The caller cannot name another organization. Without such a key, it finds no lead.';

CREATE FUNCTION audit.erase_submissions(organization_id uuid, lead_id uuid, email text, phone_key text, country_code text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_count bigint;
begin
  delete from intake.submission as s
  where
    s.organization_id = erase_submissions.organization_id
    and (
      s.lead_id = erase_submissions.lead_id
      or audit.is_about_person(
        s.content, erase_submissions.email, erase_submissions.phone_key, erase_submissions.country_code
      )
    );
  get diagnostics v_count = row_count;
  return v_count;
end $$;

ALTER FUNCTION audit.erase_submissions(organization_id uuid, lead_id uuid, email text, phone_key text, country_code text) OWNER TO leads_eraser;

COMMENT ON FUNCTION audit.erase_submissions(organization_id uuid, lead_id uuid, email text, phone_key text, country_code text) IS 'Deletes the submissions that became the lead, and the kept ones that have the e-mail address or the phone number anywhere in
them. Returns their number. Null: it is not searched for.

email, phone_key, country_code: see audit.is_about_person.';

CREATE FUNCTION audit.erased_payload(payload json) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ((('{'::text || string_agg((((to_json(m.key))::text || ':'::text) || left_over.value), ','::text ORDER BY m.number)) || '}'::text))::json AS "json"
    FROM (json_each(erased_payload.payload) WITH ORDINALITY m(key, value, number)
      CROSS JOIN LATERAL ( SELECT
                 CASE
                     WHEN ((m.value)::text = 'null'::text) THEN 'null'::text
                     WHEN (m.key = ANY (ARRAY['lead_id'::text, 'signal_id'::text, 'score_id'::text, 'sync_id'::text, 'api_key_id'::text, 'crm_connection_id'::text, 'organization'::text, 'scoring_model'::text, 'pipeline_stage'::text, 'key_id'::text, 'role'::text, 'vendor'::text, 'attempts'::text, 'error_code'::text])) THEN (m.value)::text
                     WHEN (m.key = 'diff'::text) THEN ( SELECT (('{'::text || COALESCE(string_agg((((to_json(d.key))::text || ':'::text) ||
                             CASE
                                 WHEN ((d.key = ANY (ARRAY['lead_score'::text, 'pipeline_stage'::text, 'source'::text])) OR (d.key ~~ '%\_at'::text)) THEN (d.value)::text
                                 ELSE '{"erased": true}'::text
                             END), ','::text ORDER BY d.number), ''::text)) || '}'::text)
                        FROM json_each(m.value) WITH ORDINALITY d(key, value, number))
                     ELSE '{"erased": true}'::text
                 END AS value) left_over);
END;

ALTER FUNCTION audit.erased_payload(payload json) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.erased_payload(payload json) IS 'The payload with {"erased": true} in place of each value that may identify a person. The order of the members is kept.

These values stay: our own ids, the actor, a push''s vendor, attempts and error_code, and in the diff lead_score,
pipeline_stage, source and times. The result for an erased payload is the same payload.';

CREATE FUNCTION audit.event_export(organization_id uuid, format text, cursor text, actions text[], sources text[], lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- As in app.lead_export.
  v_most_rows integer := 500;
  v_most_bytes integer := 262144;
  v_bound record := app.page_bound(event_export.cursor, event_export.end_at);
  v_event record;
  v_last_at timestamptz;
  v_last_id uuid;
  v_line text;
  v_lines text[] := '{}';
  v_bytes integer := 0;
  v_has_more boolean := false;
  v_page record;
begin
  if event_export.cursor is null then
    perform app.raise_faults(
      422, 'validation_failed', audit.event_filter_faults(event_export.actions, event_export.sources)
    );
  end if;
  lead_ids := '{}';
  for v_event in
    select f.*
    from audit.filtered_events(
      event_export.organization_id, event_export.actions, event_export.sources, event_export.lead_id,
      v_bound.created_at, v_bound.id, coalesce(event_export.start_at, '-infinity'), v_most_rows + 1
    ) as f
  loop
    if cardinality(v_lines) = v_most_rows or v_bytes >= v_most_bytes then
      v_has_more := true;
      exit;
    end if;
    v_line := case event_export.format
      when 'csv' then concat(
        v_event.id, ',', event_export.organization_id, ',', app.csv_cell(v_event.action), ',',
        app.csv_cell(v_event.source), ',', app.csv_cell(v_event.correlation_id), ',',
        app.csv_cell(v_event.payload::text), ',', app.utc_text(v_event.created_at), E'\r\n'
      )
      else audit.event_text(
        v_event.id, event_export.organization_id, v_event.action, v_event.source, v_event.correlation_id, v_event.payload,
        v_event.created_at
      ) || E'\n'
    end;
    v_lines := v_lines || v_line;
    v_bytes := v_bytes + octet_length(v_line);
    v_last_at := v_event.created_at;
    v_last_id := v_event.id;
    if v_event.lead_id is not null then
      lead_ids := lead_ids || v_event.lead_id;
    end if;
  end loop;
  lead_ids := array(select distinct u.id from unnest(lead_ids) as u (id));
  v_page := app.export_page(
    v_lines, event_export.format, 'id,organization_id,action,source,correlation_id,payload,created_at',
    event_export.cursor, v_has_more, v_last_at, v_last_id
  );
  body := v_page.body;
  next_cursor := v_page.next_cursor;
  row_count := v_page.row_count;
end $$;

ALTER FUNCTION audit.event_export(organization_id uuid, format text, cursor text, actions text[], sources text[], lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.event_export(organization_id uuid, format text, cursor text, actions text[], sources text[], lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) IS 'Up to 500 events, newest first, as text. A page ends when it has 256 KiB.

format: ndjson or csv. cursor: the next_cursor of the previous page; null: the first page. actions, sources, lead_id, start_at, end_at:
the filters; null: none. row_count: the number of rows so far. lead_ids: the leads of the events in the page. Raises PT422 validation_failed.';

CREATE FUNCTION audit.event_filter_faults(actions text[], sources text[]) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 WITH fault AS (
          SELECT json_build_object('field', 'action', 'code', 'unknown_action', 'detail', format('There is no action "%s". The reference lists the actions.'::text, "left"(a.value, 100))) AS fault
            FROM unnest(event_filter_faults.actions) a(value)
           WHERE (a.value <> ALL (audit.actions()))
         UNION ALL
          SELECT json_build_object('field', 'source', 'code', 'unknown_source', 'detail', 'The sources are api, sql, worker and system.') AS json_build_object
           WHERE (NOT (event_filter_faults.sources <@ ARRAY['api'::text, 'sql'::text, 'worker'::text, 'system'::text]))
         )
  SELECT json_agg(f.fault) AS json_agg
    FROM fault f;
END;

ALTER FUNCTION audit.event_filter_faults(actions text[], sources text[]) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.event_filter_faults(actions text[], sources text[]) IS 'A field error for each action that does not exist, and one for the sources. Null: there is none.';

CREATE FUNCTION audit.event_hash("position" bigint, id uuid, organization_id uuid, action text, source text, correlation_id text, lead_id uuid, payload_digest bytea, created_at timestamp with time zone) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT sha256(convert_to((json_build_array("position", id, organization_id, action, source, correlation_id, lead_id, encode(payload_digest, 'hex'::text), app.utc_text(created_at)))::text, 'UTF8'::name)) AS sha256;
END;

ALTER FUNCTION audit.event_hash("position" bigint, id uuid, organization_id uuid, action text, source text, correlation_id text, lead_id uuid, payload_digest bytea, created_at timestamp with time zone) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.event_hash("position" bigint, id uuid, organization_id uuid, action text, source text, correlation_id text, lead_id uuid, payload_digest bytea, created_at timestamp with time zone) IS 'The SHA-256 of an event: 32 bytes.

The input is a JSON array in UTF-8, in the format of Python''s json.dumps(…, ensure_ascii=False): the position in the chain,
id, organization_id, action, source, correlation_id, lead_id, payload_digest as hexadecimal digits, created_at.
The array has the payload''s digest and not the payload, so that values can be erased while the chain stays valid.';

CREATE FUNCTION audit.event_text(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (((((((((((((('{"id":"'::text || id) || '","organization_id":"'::text) || organization_id) || '","action":'::text) || (to_json(action))::text) || ',"source":"'::text) || source) || '","correlation_id":'::text) || COALESCE((to_json(correlation_id))::text, 'null'::text)) || ',"payload":'::text) || (payload)::text) || ',"created_at":"'::text) || app.utc_text(created_at)) || '"}'::text);
END;

ALTER FUNCTION audit.event_text(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.event_text(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) IS 'The same bytes as row_to_json prints of audit.event_item. Only correlation_id may be null.';

CREATE FUNCTION audit.filtered_events(organization_id uuid, actions text[], sources text[], event_lead_id uuid, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) RETURNS TABLE(id uuid, action text, source text, correlation_id text, lead_id uuid, payload json, created_at timestamp with time zone)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_sort TO 'off'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := filtered_events.organization_id;
begin
  -- One statement for each combination of filters, because each has its own index, as in api.list_audit_events.
  if filtered_events.event_lead_id is not null then
    return query
    select e.id, e.action, e.source, e.correlation_id, e.lead_id, e.payload, e.created_at::timestamptz
    from audit.event as e
    where
      e.organization_id = v_organization_id
      and e.lead_id = filtered_events.event_lead_id
      and (filtered_events.actions is null or e.action = any (filtered_events.actions))
      and (filtered_events.sources is null or e.source = any (filtered_events.sources))
      and (e.created_at, e.id) < (filtered_events.before, filtered_events.before_id)
      and e.created_at >= filtered_events.start_at
    order by e.created_at desc, e.id desc
    limit filtered_events.limit;
  elsif filtered_events.actions is not null then
    return query
    select p.id, p.action, p.source, p.correlation_id, p.lead_id, p.payload, p.created_at::timestamptz
    from (
      select distinct a.value || '/' || s.value as value
      from unnest(filtered_events.actions) as a (value)
      cross join unnest(coalesce(filtered_events.sources, array['api', 'sql', 'worker', 'system'])) as s (value)
    ) as f
    cross join lateral (
      select e.*
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.action_and_source = f.value
        and (e.created_at, e.id) < (filtered_events.before, filtered_events.before_id)
        and e.created_at >= filtered_events.start_at
      order by e.created_at desc, e.id desc
      limit filtered_events.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_events.limit;
  elsif filtered_events.sources is not null then
    return query
    select p.id, p.action, p.source, p.correlation_id, p.lead_id, p.payload, p.created_at::timestamptz
    from (select distinct u.value from unnest(filtered_events.sources) as u (value)) as s
    cross join lateral (
      select e.*
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.source = s.value
        and (e.created_at, e.id) < (filtered_events.before, filtered_events.before_id)
        and e.created_at >= filtered_events.start_at
      order by e.created_at desc, e.id desc
      limit filtered_events.limit
    ) as p
    order by p.created_at desc, p.id desc
    limit filtered_events.limit;
  else
    return query
    select e.id, e.action, e.source, e.correlation_id, e.lead_id, e.payload, e.created_at::timestamptz
    from audit.event as e
    where
      e.organization_id = v_organization_id
      and (e.created_at, e.id) < (filtered_events.before, filtered_events.before_id)
      and e.created_at >= filtered_events.start_at
    order by e.created_at desc, e.id desc
    limit filtered_events.limit;
  end if;
end $$;

ALTER FUNCTION audit.filtered_events(organization_id uuid, actions text[], sources text[], event_lead_id uuid, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.filtered_events(organization_id uuid, actions text[], sources text[], event_lead_id uuid, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) IS 'The events that match all filters, newest first.

actions, sources, event_lead_id: the values of the filters; null: no filter. before, before_id: the upper bound of the page,
exclusive. start_at: the lower bound, inclusive. "limit": the number of rows.';

CREATE FUNCTION audit.is_about_person(content jsonb, email text, phone_key text, country_code text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_pattern text := '(^|[^a-z0-9.!#$%&*+/=?^_`{|}~-])' || regexp_replace(lower(is_about_person.email), '([^a-z0-9@])', '\\\1', 'g')
    || '($|[^a-z0-9.-]|[.-]($|[^a-z0-9]))';
  v_digits text := right(regexp_replace(is_about_person.phone_key, '[^0-9]', '', 'g'), 9);
  v_text text;
begin
  for v_text in
    select v.value #>> '{}'
    from jsonb_path_query(is_about_person.content, 'strict $.** ? (@.type() == "string" || @.type() == "number")') as v (value)
    union all
    select f.field ->> 'name'
    from jsonb_array_elements(coalesce(is_about_person.content -> 'fields', '[]')) as f (field)
  loop
    -- As an address stands in a query, and in JSON with escapes.
    v_text := replace(replace(v_text, '%40', '@'), '\u0040', '@');
    if
      lower(v_text) ~ v_pattern
      or app.ascii_email(app.clean_text(lower(v_text))) = lower(is_about_person.email)
      or (char_length(v_text) <= 64 and app.phone_key(app.clean_text(v_text), is_about_person.country_code) = is_about_person.phone_key)
      or (
        char_length(v_digits) >= 7
        and exists (
          select
          from regexp_matches(v_text, U&'[0-9][0-9 ()./\00A0\2010\2011\2012\2013-]{5,}[0-9]', 'g') as m (run)
          where right(regexp_replace(m.run[1], '[^0-9]', '', 'g'), 9) = v_digits
        )
      )
    then
      return true;
    end if;
  end loop;
  return false;
end $_$;

ALTER FUNCTION audit.is_about_person(content jsonb, email text, phone_key text, country_code text) OWNER TO leads_eraser;

COMMENT ON FUNCTION audit.is_about_person(content jsonb, email text, phone_key text, country_code text) IS 'Whether a value of the content (intake.submission) contains the e-mail address or the phone number as a whole.

email, phone_key: as app.lead has them; null: it is not searched for. A number is found by its last 9 digits, if it has 7.
country_code: of app.organization.';

CREATE FUNCTION audit.is_migrating_login() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (EXISTS ( SELECT
            FROM ((pg_auth_members m
              JOIN pg_roles granted ON ((granted.oid = m.roleid)))
              JOIN pg_roles login ON ((login.oid = m.member)))
           WHERE ((granted.rolname = 'leads_owner'::name) AND (login.rolname = SESSION_USER)))) AS "exists";
END;

ALTER FUNCTION audit.is_migrating_login() OWNER TO leads_audit;

COMMENT ON FUNCTION audit.is_migrating_login() IS 'Whether session_user is a member of leads_owner. Only the migrating login is: it grants itself the role.';

CREATE FUNCTION audit.position_before(organization_id uuid, instant timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_sort TO 'off'
    AS $$
declare
  v_low bigint := 0;
  v_high bigint;
  v_middle bigint;
  v_is_before boolean;
begin
  select s.position + 1 into v_high
  from audit.seal as s
  where s.organization_id = position_before.organization_id
  order by s.position desc
  limit 1;
  -- The seals are in the order of their times. No index has the times.
  while v_high - v_low > 1 loop
    v_middle := (v_low + v_high) / 2;
    select s.sealed_at < position_before.instant into v_is_before
    from audit.seal as s
    where s.organization_id = position_before.organization_id and s.position = v_middle;
    if coalesce(v_is_before, true) then
      v_low := v_middle;
    else
      v_high := v_middle;
    end if;
  end loop;
  return v_low;
end $$;

ALTER FUNCTION audit.position_before(organization_id uuid, instant timestamp with time zone) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.position_before(organization_id uuid, instant timestamp with time zone) IS 'The position of the last event that was sealed before the time; 0 if there is none. Every event that was written at that time or later has a greater position.';

CREATE FUNCTION audit.record_erasure(organization_id uuid, lead_id uuid, about text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform audit.write_event(
    record_erasure.organization_id,
    case when record_erasure.lead_id is null then 'organization.erased' else 'lead.erased' end,
    record_erasure.lead_id,
    record_erasure.about
  );
end $$;

ALTER FUNCTION audit.record_erasure(organization_id uuid, lead_id uuid, about text) OWNER TO leads_audit;

COMMENT ON FUNCTION audit.record_erasure(organization_id uuid, lead_id uuid, about text) IS 'Writes the event lead.erased; if lead_id is null, organization.erased. Only the erasing functions call it.

about: members of the payload, in the format of audit.write_event. The member "erased" lists each erased event with the
SHA-256 of the payload that remains; audit.chain_verdict accepts no other erased payload.';

CREATE FUNCTION audit.seal_mark(organization_id uuid, "position" bigint) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN ("position" = 0) THEN encode(substr(sha256(uuid_send(organization_id)), 1, 8), 'hex'::text)
             ELSE ( SELECT encode(substr(s.hash, 1, 8), 'hex'::text) AS encode
                FROM audit.seal s
               WHERE ((s.organization_id = seal_mark.organization_id) AND (s."position" = seal_mark."position")))
         END AS encode;
END;

ALTER FUNCTION audit.seal_mark(organization_id uuid, "position" bigint) OWNER TO leads_owner;

COMMENT ON FUNCTION audit.seal_mark(organization_id uuid, "position" bigint) IS 'The first 8 bytes of the hash of the seal at a position, in hexadecimal digits. 0 is the beginning of the chain. Null: there is no such seal.';

CREATE FUNCTION audit.tg_event__check_erasure() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if
    new.payload::text = audit.erased_payload(old.payload)::text
    and new.salt is null
    and (
      new.id, new.organization_id, new.action, new.source, new.correlation_id, new.lead_id, new.payload_digest,
      new.created_at
    ) is not distinct from (
      old.id, old.organization_id, old.action, old.source, old.correlation_id, old.lead_id, old.payload_digest,
      old.created_at
    )
  then
    return new;
  end if;
  raise sqlstate 'PT409' using
    message = 'refused',
    hint = 'An erasure sets payload to audit.erased_payload(payload) and salt to null, and changes nothing else.';
end $$;

ALTER FUNCTION audit.tg_event__check_erasure() OWNER TO leads_owner;

COMMENT ON FUNCTION audit.tg_event__check_erasure() IS 'Trigger: allows an update only if it sets payload to audit.erased_payload(payload) and salt to null, and nothing else.

Raises PT409 refused.';

CREATE FUNCTION audit.tg_lead__record() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_is_scored boolean := tg_op = 'UPDATE' and new.score_id is distinct from old.score_id and new.score_id is not null;
  v_diff text;
begin
  -- The columns are written out because a loop over them costs three times as much. On INSERT, old
  -- is all null; on DELETE, new is.
  v_diff := concat_ws(
    ',',
    case when old.name is distinct from new.name then
      '"name":' || json_build_object('from', old.name, 'to', new.name) end,
    case when old.company is distinct from new.company then
      '"company":' || json_build_object('from', old.company, 'to', new.company) end,
    case when old.email is distinct from new.email then
      '"email":' || json_build_object('from', old.email, 'to', new.email) end,
    case when old.source is distinct from new.source then
      '"source":' || json_build_object('from', old.source, 'to', new.source) end,
    case when old.pipeline_stage is distinct from new.pipeline_stage then
      '"pipeline_stage":' || json_build_object('from', old.pipeline_stage, 'to', new.pipeline_stage) end,
    case when old.lead_score is distinct from new.lead_score then
      '"lead_score":' || json_build_object('from', old.lead_score, 'to', new.lead_score) end,
    case when old.industry is distinct from new.industry then
      '"industry":' || json_build_object('from', old.industry, 'to', new.industry) end,
    case when old.company_size is distinct from new.company_size then
      '"company_size":' || json_build_object('from', old.company_size, 'to', new.company_size) end,
    case when old.pain_points is distinct from new.pain_points then
      '"pain_points":' || json_build_object('from', old.pain_points, 'to', new.pain_points) end,
    case when old.timeline is distinct from new.timeline then
      '"timeline":' || json_build_object('from', old.timeline, 'to', new.timeline) end,
    case when old.budget_range is distinct from new.budget_range then
      '"budget_range":' || json_build_object('from', old.budget_range, 'to', new.budget_range) end,
    case when old.ai_reasoning is distinct from new.ai_reasoning then
      '"ai_reasoning":' || json_build_object('from', old.ai_reasoning, 'to', new.ai_reasoning) end,
    case when old.phone is distinct from new.phone then
      '"phone":' || json_build_object('from', old.phone, 'to', new.phone) end,
    case when old.reference is distinct from new.reference then
      '"reference":' || json_build_object('from', old.reference, 'to', new.reference) end,
    case when old.details is distinct from new.details then
      '"details":' || audit.details_change(old.details, new.details) end,
    case when old.qualification_completed_at is distinct from new.qualification_completed_at then
      '"qualification_completed_at":' || json_build_object(
        'from', app.utc_text(old.qualification_completed_at), 'to', app.utc_text(new.qualification_completed_at)
      ) end
  );
  if tg_op = 'UPDATE' and v_diff = '' and not v_is_scored then
    return null;
  end if;

  perform audit.write_event(
    coalesce(new.organization_id, old.organization_id),
    case
      when v_is_scored then 'lead.scored'
      when tg_op = 'INSERT' then 'lead.created'
      when tg_op = 'UPDATE' then 'lead.updated'
      else 'lead.deleted'
    end,
    coalesce(new.id, old.id),
    concat(
      '"lead_id":"', coalesce(new.id, old.id), '"',
      case when v_is_scored then ',"score_id":"' || new.score_id || '"' end,
      ',"diff":{', v_diff, '}'
    )
  );
  return null;
end $$;

ALTER FUNCTION audit.tg_lead__record() OWNER TO leads_audit;

COMMENT ON FUNCTION audit.tg_lead__record() IS 'Trigger: writes lead.created, lead.updated, lead.deleted or, if a model''s score changed the lead, lead.scored.

The payload''s diff has {"field": {"from": …, "to": …}} for each changed field: the fields of POST, and
qualification_completed_at. from and to of details have the changed members only.';

CREATE FUNCTION audit.tg_record() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_entity text := tg_argv[0];
  v_key text := tg_argv[1];
  v_left_out text[] := coalesce(tg_argv[2:], '{}');
  v_old jsonb := to_jsonb(old);
  v_new jsonb := to_jsonb(new);
  v_row jsonb := coalesce(v_new, v_old);
  v_diff text;
  v_action text := case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end;
begin
  with field as (
    select
      a.attnum as position,
      a.attname as name,
      case
        when a.atttypid = 'timestamptz'::regtype then to_jsonb(app.utc_text((v_old ->> a.attname)::timestamptz))
        -- 4 bytes show that the secret was replaced, and no more.
        when a.attname in ('digest', 'credential') then to_jsonb(left(v_old ->> a.attname, 10))
        else nullif(v_old -> a.attname, 'null')
      end as old_value,
      case
        when a.atttypid = 'timestamptz'::regtype then to_jsonb(app.utc_text((v_new ->> a.attname)::timestamptz))
        when a.attname in ('digest', 'credential') then to_jsonb(left(v_new ->> a.attname, 10))
        else nullif(v_new -> a.attname, 'null')
      end as new_value
    from pg_catalog.pg_attribute as a
    where
      a.attrelid = tg_relid
      and a.attnum > 0
      and not a.attisdropped
      and a.attname not in ('organization_id', 'id', 'created_at')
      and (a.attname not in ('digest', 'credential') or tg_op = 'UPDATE')
      and a.attname <> all (v_left_out)
  )
  select string_agg(
    concat(to_json(f.name), ':', json_build_object('from', f.old_value, 'to', f.new_value)), ',' order by f.position
  )
  into v_diff
  from field as f
  where f.old_value is distinct from f.new_value;
  if tg_op = 'UPDATE' and v_diff is null then
    return null;
  end if;

  if v_new ->> 'rotated_from' is not null and tg_op = 'INSERT' then
    v_action := 'rotated';
  elsif v_new ->> 'revoked_at' is not null and v_old ->> 'revoked_at' is null and tg_op = 'UPDATE' then
    v_action := 'revoked';
  end if;

  perform audit.write_event(
    (v_row ->> 'organization_id')::uuid,
    v_entity || '.' || v_action,
    (v_row ->> 'lead_id')::uuid,
    concat(to_json(v_entity || case when v_key = 'id' then '_id' else '' end), ':', v_row -> v_key, ',"diff":{', v_diff, '}')
  );
  return null;
end $$;

ALTER FUNCTION audit.tg_record() OWNER TO leads_audit;

COMMENT ON FUNCTION audit.tg_record() IS 'Trigger: writes <entity>.created, .updated or .deleted with a diff of the row''s columns; for a key also .rotated and .revoked.

Arguments: the name of the entity, the column that identifies the row, and columns that the diff leaves out. The diff always
leaves out organization_id, id and created_at. It shows the first 4 bytes of a digest or credential if it was replaced.
The function reads the row as JSON, which is slow: it is for tables that change seldom.';

CREATE FUNCTION audit.tg_refuse() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise sqlstate 'PT409' using
    message = 'refused',
    hint = format('%s on %I.%I is refused. %s', tg_op, tg_table_schema, tg_table_name, tg_argv[0]);
end $$;

ALTER FUNCTION audit.tg_refuse() OWNER TO leads_owner;

COMMENT ON FUNCTION audit.tg_refuse() IS 'Trigger: raises PT409 refused. Argument: a sentence that says what to do instead.';

CREATE FUNCTION audit.tg_signal__record() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_diff text;
begin
  -- On INSERT, old is all null; on DELETE, new is.
  v_diff := concat_ws(
    ',',
    case when old.type is distinct from new.type then
      '"type":' || json_build_object('from', old.type, 'to', new.type) end,
    case when old.value is distinct from new.value then
      '"value":' || json_build_object('from', old.value, 'to', new.value) end,
    case when old.observed_at is distinct from new.observed_at then
      '"observed_at":' || json_build_object(
        'from', app.utc_text(old.observed_at), 'to', app.utc_text(new.observed_at)
      ) end,
    case when old.dedupe_key is distinct from new.dedupe_key then
      '"dedupe_key":' || json_build_object('from', old.dedupe_key, 'to', new.dedupe_key) end
  );
  if tg_op = 'UPDATE' and v_diff = '' then
    return null;
  end if;

  perform audit.write_event(
    coalesce(new.organization_id, old.organization_id),
    case tg_op when 'INSERT' then 'signal.created' when 'UPDATE' then 'signal.updated' else 'signal.deleted' end,
    coalesce(new.lead_id, old.lead_id),
    concat(
      '"lead_id":"', coalesce(new.lead_id, old.lead_id), '","signal_id":"', coalesce(new.id, old.id), '","diff":{',
      v_diff, '}'
    )
  );
  return null;
end $$;

ALTER FUNCTION audit.tg_signal__record() OWNER TO leads_audit;

COMMENT ON FUNCTION audit.tg_signal__record() IS 'Trigger: writes signal.created, signal.updated or signal.deleted.

The payload''s diff has {"field": {"from": …, "to": …}} for each changed field: type, value, observed_at and dedupe_key.';

CREATE FUNCTION audit.tg_sync__record() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_row crm.sync := case when tg_op = 'DELETE' then old else new end;
  v_action text := case
    when tg_op = 'DELETE' then 'crm_sync.deleted'
    when tg_op = 'UPDATE' and new.status in ('pending', 'in_progress') and old.status in ('pending', 'in_progress') then null
    when tg_op = 'UPDATE' and new.status = old.status then
      case
        when (old.external_id, old.error_code, old.error, old.last_synced_at)
          is distinct from (new.external_id, new.error_code, new.error, new.last_synced_at) then 'crm_sync.updated'
      end
    when new.status in ('pending', 'in_progress') then 'lead.crm_push_requested'
    when new.status = 'ok' then 'lead.crm_pushed'
    when new.status = 'failed' then 'lead.crm_push_failed'
    when new.status = 'skipped' then 'lead.crm_push_skipped'
  end;
begin
  -- Leases and delays are not recorded here: crm.attempt has them.
  if v_action is null then
    return null;
  end if;
  perform audit.write_event(
    v_row.organization_id,
    v_action,
    v_row.lead_id,
    concat_ws(
      ',',
      '"lead_id":"' || v_row.lead_id || '"',
      '"sync_id":"' || v_row.id || '"',
      '"vendor":' || to_json(v_row.vendor),
      '"external_id":' || coalesce(to_json(v_row.external_id)::text, 'null'),
      '"attempts":' || v_row.attempts,
      '"error_code":' || to_json(v_row.error_code),
      case when v_row.error_code is not null then '"error":' || coalesce(to_json(v_row.error)::text, 'null') end
    )
  );
  return null;
end $$;

ALTER FUNCTION audit.tg_sync__record() OWNER TO leads_audit;

COMMENT ON FUNCTION audit.tg_sync__record() IS 'Trigger: writes lead.crm_push_requested, lead.crm_pushed, lead.crm_push_failed or lead.crm_push_skipped when the status changes.

The payload has vendor, external_id and attempts; for the last two events also error_code and the vendor''s message.
crm_sync.updated and crm_sync.deleted record changes that no function of this schema makes.';

CREATE FUNCTION audit.write_event(organization_id uuid, action text, lead_id uuid, about text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- The actor comes from the proven key or from the login, never from a setting.
  v_key_id uuid := case when session_user = 'leads_api' then auth.key_id() end;
  v_source text := case
    when v_key_id is not null then 'api'
    when session_user = 'leads_worker' then 'worker'
    when session_user = 'leads_operator' or audit.is_migrating_login() then 'system'
    else 'sql'
  end;
  v_payload text := concat(
    '{', write_event.about, ',"key_id":', coalesce(to_json(v_key_id)::text, 'null'),
    case when v_key_id is null then ',"role":' || to_json(session_user::text) end,
    '}'
  );
  v_salt bytea := uuid_send(gen_random_uuid());
  v_id uuid := app.new_id();
begin
  insert into audit.event (
    id, organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest, created_at
  )
  values (
    v_id,
    write_event.organization_id,
    write_event.action,
    v_source,
    case when v_source = 'api' then nullif(left(current_setting('leads.request_id', true), 64), '') end,
    write_event.lead_id,
    v_payload::json,
    v_salt,
    sha256(v_salt || convert_to(v_payload, 'UTF8')),
    app.id_time(v_id)
  );
  insert into audit.unsealed (organization_id, event_id) values (write_event.organization_id, v_id);
end $$;

ALTER FUNCTION audit.write_event(organization_id uuid, action text, lead_id uuid, about text) OWNER TO leads_audit;

COMMENT ON FUNCTION audit.write_event(organization_id uuid, action text, lead_id uuid, about text) IS 'Writes an event, with its actor and its source.

about: members of the payload, as JSON text without the braces. The source comes from the login: api for leads_api with a
proven key, worker for leads_worker, system for leads_operator and the migrating login, sql for every other login.
Only functions that leads_audit owns may execute it.';

CREATE FUNCTION auth.add_form_key(organization_id uuid, name text, digest bytea) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_id uuid := app.new_id();
begin
  -- session_user: neither a setting nor SET ROLE changes it.
  if session_user <> 'leads_operator' and add_form_key.organization_id is distinct from auth.organization_id('admin') then
    raise sqlstate 'PT401' using message = 'unauthorized';
  end if;
  insert into auth.api_key (organization_id, id, name, scopes, digest)
  values (add_form_key.organization_id, v_id, add_form_key.name, '{form}', add_form_key.digest);
  return v_id;
end $$;

ALTER FUNCTION auth.add_form_key(organization_id uuid, name text, digest bytea) OWNER TO leads_auth;

COMMENT ON FUNCTION auth.add_form_key(organization_id uuid, name text, digest bytea) IS 'Adds a key with the scope form, and returns its id.

A request must have proven an admin key of the organization; an operator may name any organization. name: a text of 1 to 255
characters, or null. digest: SHA-256 of the SHA-256 of the token. Raises PT401 unauthorized.';

CREATE FUNCTION auth.analyst_organization_id() RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    BEGIN ATOMIC
 SELECT a.organization_id
    FROM (auth.analyst a
      JOIN pg_roles r ON (((r.oid = a.role_oid) AND (r.rolname = a.role_name))))
   WHERE ((r.rolname = SESSION_USER) AND ((a.expires_at IS NULL) OR (a.expires_at > clock_timestamp())));
END;

ALTER FUNCTION auth.analyst_organization_id() OWNER TO leads_auth;

COMMENT ON FUNCTION auth.analyst_organization_id() IS 'The organization that session_user may read; null if there is none or the login has expired.

The login is compared by oid and by name. No row has the organization null.';

CREATE FUNCTION auth.enter(key_digest text, request_id text, scope text, read_only boolean) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_scopes text[];
  v_setting text;
begin
  -- One assignment, because each expression is prepared again in each transaction.
  v_setting := concat(
    set_config('leads.request_id', enter.request_id, true),
    set_config('leads.key_digest', coalesce(enter.key_digest, ''), true),
    case when enter.read_only then set_config('transaction_read_only', 'on', true) end
  );
  if enter.scope is null then
    return;
  end if;

  select k.scopes, set_config('leads.organization_id', k.organization_id::text, true)
  into v_scopes, v_setting
  from auth.claimed_key as k;
  if not found then
    raise sqlstate 'PT401' using message = 'unauthorized';
  end if;
  if not enter.scope = any (v_scopes) then
    raise sqlstate 'PT403' using
      message = 'insufficient_scope',
      hint = format('This key lacks the scope "%s". Use a key that has it.', enter.scope);
  end if;
end $$;

ALTER FUNCTION auth.enter(key_digest text, request_id text, scope text, read_only boolean) OWNER TO leads_auth;

COMMENT ON FUNCTION auth.enter(key_digest text, request_id text, scope text, read_only boolean) IS 'Checks the caller''s key and sets the context of the request, until the transaction ends.

key_digest: SHA-256 of the key, 64 hexadecimal digits; null if there is no key. request_id: the X-Request-Id, up to 64
characters. scope: the scope that the route requires; null for a public route, which needs no key. read_only: true makes the
transaction read-only.
Raises PT401 unauthorized (no key, or an unknown, expired or revoked one) and PT403 insufficient_scope.';

CREATE FUNCTION auth.key_id() RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    BEGIN ATOMIC
 SELECT k.id
    FROM auth.claimed_key k;
END;

ALTER FUNCTION auth.key_id() OWNER TO leads_auth;

COMMENT ON FUNCTION auth.key_id() IS 'The id of the key that this transaction has proven; null if there is none.';

CREATE FUNCTION crm.account_in_force(organization_id uuid) RETURNS TABLE(vendor text, account text)
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    BEGIN ATOMIC
 SELECT c.vendor,
     c.account
    FROM crm.connection c
   WHERE (c.organization_id = account_in_force.organization_id);
END;

ALTER FUNCTION crm.account_in_force(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.account_in_force(organization_id uuid) IS 'Vendor and account of the organization''s connection: the only columns that keys without the scope admin can read.';

CREATE FUNCTION crm.begin_call(organization_id uuid, sync_id uuid, attempt integer, display_name text DEFAULT NULL::text, email text DEFAULT NULL::text) RETURNS crm.permission
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := begin_call.organization_id;
  v_sync crm.sync;
  v_attempt crm.attempt;
  v_connection record;
  v_now timestamptz;
  v_at timestamptz;
  v_spacing interval;
begin
  -- A worker with an older attempt stops here.
  select s.* into v_sync
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.id = begin_call.sync_id
    and s.attempts = begin_call.attempt
    and s.status = 'in_progress'
  for no key update;
  if not found then
    return row('stop', null)::crm.permission;
  end if;
  select a.* into v_attempt
  from crm.attempt as a
  where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
  if v_attempt.sent_at is not null then
    -- Another call of this attempt: the previous call was answered and created nothing.
    update crm.attempt as a
    set sent_at = null
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
  end if;

  -- If the vendor limits the rate, calls take turns: all workers share the connection's rate.
  perform
  from crm.connection as c
  join crm.vendor as v on v.name = c.vendor
  where c.organization_id = v_organization_id and v.calls is not null
  for no key update of c;
  select c.state, c.revision, c.blocked_until, c.paced_until, v.calls, v.call_seconds into v_connection
  from crm.connection as c
  join crm.vendor as v on v.name = c.vendor
  where c.organization_id = v_organization_id and c.vendor = v_sync.vendor and c.account = v_sync.account;
  v_now := date_trunc('milliseconds', clock_timestamp());
  v_at := greatest(v_now, v_connection.blocked_until);
  if v_connection.calls is not null then
    -- An even rate of nine tenths of the limit, with bursts of one tenth: no period of call_seconds
    -- has more calls. Rounded up to whole milliseconds, the precision of paced_until.
    v_spacing := make_interval(secs => ceil(1000 * v_connection.call_seconds / (0.9 * v_connection.calls)) / 1000);
    v_at := greatest(v_at, v_connection.paced_until - v_spacing * (0.1 * v_connection.calls));
  end if;

  if
    v_connection.state is distinct from 'active'
    or v_connection.revision <> v_attempt.connection_revision
    or v_at > v_now + interval '2 seconds'
  then
    -- Paused, disconnected, connected with another credential, or a long wait: the lease is returned.
    update crm.attempt as a
    set outcome = 'not_made'
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
    update crm.sync as s
    set status = 'pending', run_at = greatest(v_at, v_now)
    where s.organization_id = v_organization_id and s.id = v_sync.id;
    return row('stop', null)::crm.permission;
  end if;
  if v_at > v_now then
    return row('wait', extract(epoch from v_at - v_now))::crm.permission;
  end if;

  if v_connection.calls is not null then
    update crm.connection as c
    set paced_until = greatest(c.paced_until, v_now) + v_spacing
    where c.organization_id = v_organization_id;
  end if;
  update crm.sync as s
  set run_at = v_now + interval '15 seconds', leased_by = pg_backend_pid()
  where s.organization_id = v_organization_id and s.id = v_sync.id;
  if begin_call.display_name is not null then
    update crm.attempt as a
    set sent_at = v_now, email = begin_call.email, display_name = begin_call.display_name
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
  end if;
  return row('go', null)::crm.permission;
end $$;

ALTER FUNCTION crm.begin_call(organization_id uuid, sync_id uuid, attempt integer, display_name text, email text) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.begin_call(organization_id uuid, sync_id uuid, attempt integer, display_name text, email text) IS 'Permits one call to the vendor and renews the lease to 15 seconds.

The call must end within 5 seconds. attempt: the fencing token. display_name, email: the data of a call that creates a
record; they are committed with the time before the call. Null: the call only reads. Verdicts: go; wait (the vendor''s rate
limit: ask again after wait_seconds, at most 2); stop (another worker has the lease, or the lease was returned because the
connection is paused or gone or the wait is longer: the worker drops the push).';

CREATE FUNCTION crm.connections_without_key(key_ids text[]) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT (count(*))::integer AS count
    FROM (crm.connection c
      JOIN app.organization o ON ((o.organization_id = c.organization_id)))
   WHERE ((c.state = 'active'::text) AND (o.environment = 'live'::text) AND (c.credential_key <> ALL (connections_without_key.key_ids)));
END;

ALTER FUNCTION crm.connections_without_key(key_ids text[]) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.connections_without_key(key_ids text[]) IS 'The number of active connections whose credential none of the keys decrypts, for example after the loss of a key.';

CREATE FUNCTION crm.contact(lead app.lead_values, sync_id uuid) RETURNS json
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT json_build_object('lead_id', (lead).id, 'sync_id', sync_id, 'display_name', COALESCE((lead).name, (lead).company, (lead).email), 'name', (lead).name, 'company', (lead).company, 'email', (lead).email, 'source', (lead).source, 'description', concat_ws('
'::text, format('Score %s, stage %s.'::text, (lead).lead_score, (lead).pipeline_stage), ('Phone: '::text || (lead).phone), ('Reasons: '::text || (lead).ai_reasoning), ('Timeline: '::text || (lead).timeline), ('Budget: '::text || (lead).budget_range), ('Industry: '::text || (lead).industry), ('Company size: '::text || (lead).company_size), ('Pain points: '::text || (lead).pain_points)), 'lead', (((((((((("left"((row_to_json(app.lead_whole(lead)))::text, '-1'::integer) || ',"phone":'::text) || COALESCE((to_json((lead).phone))::text, 'null'::text)) || ',"phone_e164":'::text) || COALESCE((to_json(
         CASE
             WHEN ((lead).phone_key ~~ '+%'::text) THEN (lead).phone_key
             ELSE NULL::text
         END))::text, 'null'::text)) || ',"reference":'::text) || COALESCE((to_json((lead).reference))::text, 'null'::text)) || ',"details":'::text) || COALESCE(((lead).details)::text, '{}'::text)) || '}'::text))::json) AS json_build_object;
END;

ALTER FUNCTION crm.contact(lead app.lead_values, sync_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.contact(lead app.lead_values, sync_id uuid) IS 'The fields of the lead that an adapter sends, with display_name (the name, else the company, else the e-mail address), description (one line for each known field) and the whole lead as the API shows it, with phone, phone_e164 (null: its country is not known), reference and details. A member that is added here stops the worker of the previous release, except in lead.';

CREATE FUNCTION crm.lease_syncs(key_ids text[], batch integer, running jsonb DEFAULT '{}'::jsonb) RETURNS SETOF crm.job
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- One time for the whole call, so that a postponed push isn't due again in it. A variable,
  -- because an index can't be searched for a volatile value.
  v_started timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_left integer := least(greatest(lease_syncs.batch, 0), 64);
  v_seen uuid[] := '{}';
  v_connection record;
  v_reserved jsonb;
  v_due record;
  v_now timestamptz;
  v_open_until timestamptz;
  v_recent record;
  v_postponed_until timestamptz;
  v_external_id text;
  v_free integer;
begin
  -- A session that has ended probably belonged to a killed worker: its leases end now. The number of
  -- the attempt stops a worker that only lost its connection; its open calls are still waited for.
  with gone as (
    select s.organization_id, s.id
    from crm.connection as c
    join crm.sync as s on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
    where
      s.status = 'in_progress'
      and s.run_at > v_started
      and not exists (select from pg_catalog.pg_stat_activity as a where a.pid = s.leased_by)
      and (crm.open_until(s.organization_id, s.id, c.settle_seconds) > v_started) is not true
    for no key update of s skip locked
  )
  update crm.sync as s
  set run_at = v_started
  from gone as g
  where s.organization_id = g.organization_id and s.id = g.id;

  while v_left > 0 loop
    -- Each connection once. The lock prevents two workers from choosing among the same syncs. A
    -- connection that another worker has locked is skipped.
    select
      c.organization_id, c.vendor, c.account, c.revision, c.settings, c.settle_seconds, c.credential, c.credential_key,
      v.has_search, o.environment,
      v.calls_at_once - coalesce((lease_syncs.running ->> c.organization_id::text)::integer, 0) as free
    into v_connection
    from crm.connection as c
    join crm.vendor as v on v.name = c.vendor
    join app.organization as o on o.organization_id = c.organization_id
    cross join lateral (
      select s.run_at
      from crm.sync as s
      where
        s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
        and s.run_at <= v_started
      order by s.run_at
      limit 1
    ) as d
    where
      c.state = 'active'
      and c.organization_id <> all (v_seen)
      and (c.blocked_until is null or c.blocked_until <= v_started)
      and (o.environment = 'test' or c.credential_key = any (lease_syncs.key_ids))
      and v.calls_at_once > coalesce((lease_syncs.running ->> c.organization_id::text)::integer, 0)
    -- First those of which this worker has the fewest pushes. Otherwise two connections whose
    -- vendors don't answer, each with many due pushes, would take every place that becomes free.
    order by
      coalesce((lease_syncs.running ->> c.organization_id::text)::integer, 0), d.run_at, c.organization_id
    limit 1
    for no key update of c skip locked;
    exit when not found;

    v_seen := v_seen || v_connection.organization_id;
    v_free := least(v_connection.free, v_left);
    -- The addresses of pushes with open attempts, each with the oldest such push. A failed push
    -- keeps its address reserved until the vendor's search shows what it may have created.
    select jsonb_object_agg(r.email_key, r.id) into v_reserved
    from (
      select s.email_key, min(s.id::text) as id
      from crm.attempt as a
      join crm.sync as s on s.organization_id = a.organization_id and s.id = a.sync_id
      where
        a.organization_id = v_connection.organization_id
        and a.sent_at is not null
        and a.outcome is null
        and s.vendor = v_connection.vendor
        and s.account = v_connection.account
        and s.email_key is not null
        and (
          s.status in ('pending', 'in_progress')
          or a.sent_at + make_interval(secs => 5 + v_connection.settle_seconds) > v_started
        )
      group by s.email_key
    ) as r;

    for v_due in
      select s.*, l.email_key as lead_email_key, row(l.*)::app.lead_values as lead
      from crm.sync as s
      join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
      where
        s.organization_id = v_connection.organization_id
        and s.vendor = v_connection.vendor
        and s.account = v_connection.account
        and s.run_at <= v_started
      order by s.run_at, s.id
      limit 4 * v_free
      for no key update of s skip locked
    loop
      v_now := date_trunc('milliseconds', clock_timestamp());
      v_open_until := crm.open_until(v_due.organization_id, v_due.id, v_connection.settle_seconds);
      if v_open_until > v_now then
        -- The push is postponed: the answer to an earlier call may still arrive.
        update crm.sync as s
        set run_at = v_open_until
        where s.organization_id = v_due.organization_id and s.id = v_due.id;
        continue;
      end if;

      v_postponed_until := null;
      v_external_id := case v_connection.environment when 'test' then 'simulated_' || v_due.id end;
      if v_connection.has_search and v_due.lead_email_key is not null and v_external_id is null then
        if exists (
          select
          from crm.sync as s
          where
            s.organization_id = v_due.organization_id
            and s.vendor = v_due.vendor
            and s.account = v_due.account
            and s.email_key = v_due.lead_email_key
            and s.status = 'in_progress'
            and s.id <> v_due.id
        )
        or (
          v_reserved ->> v_due.lead_email_key <> v_due.id::text
          and (v_open_until is null or v_reserved ->> v_due.lead_email_key < v_due.id::text)
        ) then
          -- Another push has this address, or may have created its record. The interval grows.
          v_postponed_until := v_now + least(greatest((v_now - v_due.begun_at) / 8, interval '0.25 seconds'), interval '10 seconds');
        else
          -- A record that was just created, which the vendor's search may not show yet.
          select s.external_id, s.last_synced_at into v_recent
          from crm.sync as s
          where
            s.organization_id = v_due.organization_id
            and s.email_key = v_due.lead_email_key
            and s.vendor = v_due.vendor
            and s.account = v_due.account
            and s.status = 'ok'
            and s.last_synced_at > v_now - make_interval(secs => 60 + v_connection.settle_seconds)
          order by s.last_synced_at desc
          limit 1;
          if v_open_until is null then
            v_external_id := v_recent.external_id;
          elsif v_recent.last_synced_at + make_interval(secs => v_connection.settle_seconds) > v_now then
            -- This push may have created a record with an older address: the search must show both.
            v_postponed_until := v_recent.last_synced_at + make_interval(secs => v_connection.settle_seconds);
          end if;
        end if;
      end if;
      if v_postponed_until is not null then
        update crm.sync as s
        set status = 'pending', run_at = v_postponed_until
        where s.organization_id = v_due.organization_id and s.id = v_due.id;
        continue;
      end if;

      update crm.sync as s
      set
        status = 'in_progress',
        run_at = v_now + interval '15 seconds',
        leased_by = pg_backend_pid(),
        attempts = s.attempts + 1,
        email_key = case when v_connection.has_search then v_due.lead_email_key end
      where s.organization_id = v_due.organization_id and s.id = v_due.id;
      insert into crm.attempt (organization_id, sync_id, number, connection_revision)
      values (v_due.organization_id, v_due.id, v_due.attempts + 1, v_connection.revision);
      v_left := v_left - 1;
      if v_external_id is not null then
        perform crm.settle_attempt(
          v_due.organization_id, v_due.id, v_due.attempts + 1,
          case v_connection.environment when 'test' then 'simulated' else 'linked' end, v_external_id
        );
        exit when v_left = 0;
        continue;
      end if;

      return query
      select
        v_due.organization_id,
        v_due.id,
        v_due.attempts + 1,
        v_due.vendor,
        v_connection.settings::json,
        v_connection.credential,
        v_connection.credential_key,
        crm.contact(v_due.lead, v_due.id),
        (
          select coalesce(json_agg(json_build_object('email', a.email, 'display_name', a.display_name) order by a.number), '[]')
          from crm.attempt as a
          where
            a.organization_id = v_due.organization_id
            and a.sync_id = v_due.id
            and a.sent_at is not null
            and a.outcome is null
        ),
        -- A vendor's search can be case-sensitive, and another lead may have another spelling.
        array(
          select distinct a.email
          from crm.sync as s
          join crm.attempt as a on a.organization_id = s.organization_id and a.sync_id = s.id
          where
            s.organization_id = v_due.organization_id
            and s.email_key = v_due.lead_email_key
            and s.vendor = v_due.vendor
            and s.account = v_due.account
            and s.status = 'ok'
            and a.outcome = 'created'
            and lower(a.email collate "C") = v_due.lead_email_key
          limit 8
        );
      v_free := v_free - 1;
      exit when v_free = 0 or v_left = 0;
    end loop;
  end loop;
end $$;

ALTER FUNCTION crm.lease_syncs(key_ids text[], batch integer, running jsonb) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.lease_syncs(key_ids text[], batch integer, running jsonb) IS 'Leases up to batch (1 to 64) pushes that are due, of the connections whose credential one of the keys decrypts.

Each lease is a new attempt. Its number is the fencing token. A lease ends after 15 seconds, unless crm.begin_call renews
it, and when the worker''s session ends. running: how many pushes of each organization the worker already has, such as
{"<organization_id>": 3}; a connection never has more than calls_at_once. Not leased: a push with open attempts that have not
settled, a push whose address another push has, and a push that waits for Retry-After. If another lead with the same
address has just got a record, the lead is linked to it. A push of a test organization is simulated. The result contains neither of these pushes.';

CREATE FUNCTION crm.open_until(organization_id uuid, sync_id uuid, settle_seconds integer) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT (max(a.sent_at) + make_interval(secs => ((5 + open_until.settle_seconds))::double precision))
    FROM crm.attempt a
   WHERE ((a.organization_id = open_until.organization_id) AND (a.sync_id = open_until.sync_id) AND (a.sent_at IS NOT NULL) AND (a.outcome IS NULL));
END;

ALTER FUNCTION crm.open_until(organization_id uuid, sync_id uuid, settle_seconds integer) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.open_until(organization_id uuid, sync_id uuid, settle_seconds integer) IS 'sent_at of the last open attempt, plus the deadline of a call, plus settle_seconds: no search before that time. Null: no attempt is open.';

CREATE FUNCTION crm.push_answer(lead_id uuid, sync crm.sync_values) RETURNS api.answer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_title text;
  v_is_paused boolean;
  v_blocked_until timestamptz;
  v_seconds integer;
  v_sync crm.sync_values := push_answer.sync;
begin
  select v.title into v_title from crm.vendor as v where v.name = (sync).vendor;
  case
    when (sync).status in ('pending', 'in_progress') then
      select c.state = 'paused', c.blocked_until into v_is_paused, v_blocked_until
      from crm.connection as c
      where c.organization_id = (sync).organization_id and c.vendor = (sync).vendor and c.account = (sync).account;
      v_seconds := case
        -- Until an operator resumes it.
        when coalesce(v_is_paused, true) then 60
        when (sync).status = 'in_progress' then 1
        else greatest(1, ceil(extract(epoch from greatest((sync).run_at, v_blocked_until) - clock_timestamp())))
      end;
      -- Clients see one state, pending, whether or not a worker has leased the push.
      v_sync.status := 'pending';
      return row(
        202, json_build_object('Retry-After', v_seconds::text), row_to_json(crm.sync_item(lead_id, v_sync))::text
      )::api.answer;
    when (sync).status = 'ok' then
      return row(200, null, row_to_json(crm.sync_item(lead_id, sync))::text)::api.answer;
    when (sync).error_code = 'outcome_unknown' then
      raise sqlstate 'PT409' using message = 'crm_outcome_unknown';
    when (sync).error_code = 'rejected' then
      raise sqlstate 'PT502' using
        message = 'crm_rejected',
        hint = format('%s refused the lead: %s', v_title, coalesce((sync).error, 'it gave no reason.'));
    else
      raise sqlstate 'PT502' using message = 'crm_unavailable', hint = format(
        '%s could not be reached for a day: %s. Push the lead again.', v_title, coalesce((sync).error, 'it gave no reason')
      );
  end case;
end $$;

ALTER FUNCTION crm.push_answer(lead_id uuid, sync crm.sync_values) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.push_answer(lead_id uuid, sync crm.sync_values) IS '200 with the record''s id if the push is ok, 202 while it is pending or in progress.

Raises PT502 crm_rejected with the vendor''s reason, PT502 crm_unavailable, and PT409 crm_outcome_unknown.';

CREATE FUNCTION crm.push_skipped(organization_id uuid) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
 WITH skipped AS (
          SELECT s_1.id
            FROM (crm.connection c
              JOIN crm.sync s_1 ON (((s_1.organization_id = c.organization_id) AND (s_1.vendor = c.vendor) AND (s_1.account = c.account))))
           WHERE ((c.organization_id = push_skipped.organization_id) AND (s_1.status = 'skipped'::text) AND (s_1.error_code = 'paused'::text) AND (s_1.error IS NOT NULL))
          FOR NO KEY UPDATE OF s_1 SKIP LOCKED
         )
  UPDATE crm.sync s SET status = 'pending'::text, run_at = date_trunc('milliseconds'::text, clock_timestamp()), error_code = NULL::text, error = NULL::text, begun_at = date_trunc('milliseconds'::text, clock_timestamp()), begun_after = s.attempts
    FROM skipped k
   WHERE ((s.organization_id = push_skipped.organization_id) AND (s.id = k.id));
END;

ALTER FUNCTION crm.push_skipped(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.push_skipped(organization_id uuid) IS 'Starts the pushes of the organization''s connection that have the error_code paused and an error: the fault of the connection at that time. Pushes that were skipped because an operator had paused it have no error, and stay skipped.';

CREATE FUNCTION crm.request_push(organization_id uuid, lead_id uuid, is_asked boolean) RETURNS crm.sync_values
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := request_push.organization_id;
  v_lead_id uuid := request_push.lead_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_connection record;
  v_lead record;
  v_skipped text;
  v_fault text;
  v_sync crm.sync_values;
begin
  select c.vendor, c.account, c.state, v.title, v.needs_name into v_connection
  from crm.connection as c
  join crm.vendor as v on v.name = c.vendor
  where c.organization_id = v_organization_id;
  if not found then
    return null;
  end if;
  select l.name, l.company, l.email_key into v_lead
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = v_lead_id;

  select s.* into v_sync
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.lead_id = v_lead_id
    and s.vendor = v_connection.vendor
    and s.account = v_connection.account;
  -- There is nothing to do. The row isn't locked: a worker would wait for this transaction.
  if
    v_sync.status in ('ok', 'in_progress')
    or v_sync.error_code = 'outcome_unknown'
    or (v_sync.status = 'pending' and not (request_push.is_asked and v_sync.run_at > v_now))
  then
    return v_sync;
  end if;

  if v_connection.needs_name and v_lead.name is null and v_lead.company is null then
    if request_push.is_asked then
      raise sqlstate 'PT422' using message = 'validation_failed', detail = json_build_array(json_build_object(
        'field', 'name', 'code', 'required_by_crm',
        'detail', format('%s needs a name or a company. Give the lead one, and push it again.', v_connection.title)
      ))::text;
    end if;
    v_skipped := 'incomplete';
  elsif v_connection.state = 'paused' and not request_push.is_asked then
    -- If the connection is being resumed, the push isn't skipped. If it is resumed next,
    -- crm.push_skipped waits for this transaction and sees the push.
    select 'paused', c.fault into v_skipped, v_fault
    from crm.connection as c
    where c.organization_id = v_organization_id and c.state = 'paused'
    for share;
  end if;

  -- Of 50 simultaneous requests, one inserts the row and the others find it.
  insert into crm.sync as s (organization_id, lead_id, vendor, account, status, error_code, error, run_at, email_key)
  values (
    v_organization_id,
    v_lead_id,
    v_connection.vendor,
    v_connection.account,
    case when v_skipped is null then 'pending' else 'skipped' end,
    v_skipped,
    v_fault,
    case when v_skipped is null then v_now end,
    v_lead.email_key
  )
  on conflict (organization_id, lead_id, vendor, account) do update
  set
    status = excluded.status,
    error_code = excluded.error_code,
    error = null,
    run_at = excluded.run_at,
    begun_at = case when s.status = 'pending' then s.begun_at else v_now end,
    begun_after = case when s.status = 'pending' then s.begun_after else s.attempts end
  where
    case s.status
      -- A request ends the backoff. crm.lease_syncs still waits for calls that may create a record.
      when 'pending' then request_push.is_asked and s.run_at > v_now
      when 'failed' then s.error_code <> 'outcome_unknown' and v_skipped is null
      when 'skipped' then v_skipped is null
      else false
    end
  returning s.* into v_sync;
  if not found then
    select s.* into v_sync
    from crm.sync as s
    where
      s.organization_id = v_organization_id
      and s.lead_id = v_lead_id
      and s.vendor = v_connection.vendor
      and s.account = v_connection.account;
  end if;
  return v_sync;
end $$;

ALTER FUNCTION crm.request_push(organization_id uuid, lead_id uuid, is_asked boolean) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.request_push(organization_id uuid, lead_id uuid, is_asked boolean) IS 'Adds the lead''s push to the outbox of the organization''s connection, or returns its state. The caller notifies the workers.

is_asked: whether a client requested the push, and not a change of the stage. If so: the push waits while the connection
is paused, instead of being skipped; a push in its backoff becomes due now; a lead without the fields that the vendor needs
raises PT422 validation_failed, instead of being skipped. A failed or skipped push starts again. A push that is ok, or whose
outcome is unknown, stays unchanged. A push that is skipped because the worker has paused the connection gets the fault of the
connection as its error; crm.push_skipped starts it. Null: the organization has no connection.';

CREATE FUNCTION crm.seconds_until_due(key_ids text[]) RETURNS numeric
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT EXTRACT(epoch FROM (min(GREATEST(d.run_at, c.blocked_until)) - clock_timestamp())) AS "extract"
    FROM ((crm.connection c
      JOIN app.organization o ON ((o.organization_id = c.organization_id)))
      CROSS JOIN LATERAL ( SELECT s.run_at
            FROM crm.sync s
           WHERE ((s.organization_id = c.organization_id) AND (s.vendor = c.vendor) AND (s.account = c.account) AND (s.run_at IS NOT NULL))
           ORDER BY s.run_at
          LIMIT 1) d)
   WHERE ((c.state = 'active'::text) AND ((o.environment = 'test'::text) OR (c.credential_key = ANY (seconds_until_due.key_ids))));
END;

ALTER FUNCTION crm.seconds_until_due(key_ids text[]) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.seconds_until_due(key_ids text[]) IS 'Seconds until the next push is due or a lease ends. Negative: a push is due. Null: no push waits.';

CREATE FUNCTION crm.settle_attempt(organization_id uuid, sync_id uuid, attempt integer, outcome text, external_id text DEFAULT NULL::text, http_status integer DEFAULT NULL::integer, message text DEFAULT NULL::text, retry_after double precision DEFAULT NULL::double precision) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := settle_attempt.organization_id;
  v_outcome text := settle_attempt.outcome;
  v_message text := app.trim_text(left(app.trim_text(settle_attempt.message), 1000));
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_sync crm.sync;
  v_attempt crm.attempt;
  v_settle_seconds integer;
  v_has_search boolean;
  v_open_until timestamptz;
  v_age numeric;
  v_tries integer;
  v_failures integer;
  v_delay numeric;
  v_error_code text;
begin
  if (
    v_outcome in (
      'created', 'linked', 'simulated', 'refused', 'not_yet', 'unauthorized', 'not_made', 'unknown', 'unclear', 'undecided'
    )
  ) is not true then
    raise sqlstate 'PT422' using message = 'unknown_outcome', hint = format('There is no outcome "%s".', v_outcome);
  end if;
  v_message := nullif(v_message, '');
  if v_outcome in ('created', 'linked', 'simulated') and app.is_text(settle_attempt.external_id, 255) is not true then
    v_outcome := 'undecided';
    v_message := 'The vendor returned an id that can''t be stored. An id must have 1 to 255 characters.';
  end if;
  -- The outcome of an older attempt is ignored. The newer attempt finds its record at the vendor.
  select s.* into v_sync
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.id = settle_attempt.sync_id
    and s.attempts = settle_attempt.attempt
    and s.status = 'in_progress'
  for no key update;
  if not found then
    return null;
  end if;
  if v_outcome = 'not_yet' then
    -- For an hour after the first attempt of the series with this answer.
    v_outcome := case
      when exists (
        select
        from crm.attempt as a
        where
          a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number > v_sync.begun_after
          and a.http_status = settle_attempt.http_status
          and a.created_at <= v_now - interval '1 hour'
      ) then 'refused'
      else 'not_made'
    end;
  end if;

  update crm.attempt as a
  set
    outcome = case v_outcome
      when 'unknown' then null
      when 'unclear' then null
      when 'unauthorized' then 'refused'
      when 'undecided' then 'not_made'
      else v_outcome
    end,
    -- The attempt stays open even after a search: the vendor may have an earlier attempt's record.
    sent_at = case when v_outcome in ('unknown', 'unclear') and a.display_name is not null then coalesce(a.sent_at, v_now) else a.sent_at end,
    http_status = settle_attempt.http_status,
    message = v_message
  where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts
  returning a.* into v_attempt;

  if v_outcome in ('created', 'linked', 'simulated') then
    update crm.attempt as a
    set outcome = 'settled'
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.outcome is null;
    update crm.sync as s
    set
      status = 'ok', external_id = settle_attempt.external_id, last_synced_at = v_now, run_at = null, error_code = null,
      error = null
    where s.organization_id = v_organization_id and s.id = v_sync.id;
    return 'ok';
  end if;

  -- Retry-After applies to the whole connection. A 429 without Retry-After counts as 0.25 seconds.
  select v.has_search, coalesce(c.settle_seconds, v.settle_seconds) into v_has_search, v_settle_seconds
  from crm.vendor as v
  left join crm.connection as c
    on c.organization_id = v_organization_id and c.vendor = v.name and c.account = v_sync.account
  where v.name = v_sync.vendor;
  update crm.connection as c
  set blocked_until = greatest(
    c.blocked_until,
    v_now + make_interval(secs => least(greatest(coalesce(settle_attempt.retry_after, 0.25), 0), 86400))
  )
  where
    c.organization_id = v_organization_id and c.vendor = v_sync.vendor and c.account = v_sync.account
    and (settle_attempt.retry_after is not null or settle_attempt.http_status = 429);
  if v_outcome = 'unauthorized' then
    update crm.connection as c
    set state = 'paused', fault = coalesce(v_message, 'The vendor refused the credential.')
    where
      c.organization_id = v_organization_id and c.vendor = v_sync.vendor and c.account = v_sync.account
      and c.state = 'active'
      and c.revision = v_attempt.connection_revision;
    -- If the connection has a new credential, the refusal of the old one doesn't pause it.
    perform
    from crm.connection as c
    where c.organization_id = v_organization_id and c.revision = v_attempt.connection_revision;
    v_outcome := case when found then v_outcome else 'not_made' end;
  end if;
  if v_outcome = 'refused' and v_attempt.display_name is not null then
    -- The searches before this call found no record of the earlier attempts.
    update crm.attempt as a
    set outcome = 'settled'
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.outcome is null;
  end if;

  v_open_until := crm.open_until(v_organization_id, v_sync.id, v_settle_seconds);
  v_age := extract(epoch from v_now - v_sync.begun_at);
  v_tries := v_sync.attempts - v_sync.begun_after;
  v_error_code := case
    when v_outcome in ('unclear', 'undecided') then 'outcome_unknown'
    -- An unauthorized push with open attempts waits until the connection is resumed.
    when v_outcome in ('refused', 'unauthorized') then
      case when v_open_until is null or not v_has_search then 'rejected' when v_outcome = 'refused' then 'outcome_unknown' end
    when v_age >= 86400 and v_tries >= 20 then
      case when v_open_until is null or not v_has_search then 'gave_up' else 'outcome_unknown' end
  end;
  if v_error_code is not null then
    update crm.sync as s
    set status = 'failed', error_code = v_error_code, error = v_message, run_at = null
    where s.organization_id = v_organization_id and s.id = v_sync.id;
    return 'failed';
  end if;

  -- The delay is 1, 2, 4, 8, then 10 seconds. After ten minutes it doubles every ten minutes, up to
  -- an hour. Half is random, so that pushes spread out. Attempts of dead workers don't count.
  select count(*) into v_failures
  from crm.attempt as a
  where
    a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number > v_sync.begun_after
    and (a.message is not null or a.outcome = 'not_made');
  v_delay := least(
    2 ^ least(greatest(v_failures - 1, 0), 12)::numeric, 10 * 2 ^ least(greatest(v_age - 600, 0) / 600, 20), 3600
  ) * (0.5 + random()::numeric / 2);
  update crm.sync as s
  set
    status = 'pending',
    run_at = greatest(v_now + make_interval(secs => v_delay::double precision), v_open_until),
    error = v_message
  where s.organization_id = v_organization_id and s.id = v_sync.id;
  return 'pending';
end $$;

ALTER FUNCTION crm.settle_attempt(organization_id uuid, sync_id uuid, attempt integer, outcome text, external_id text, http_status integer, message text, retry_after double precision) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.settle_attempt(organization_id uuid, sync_id uuid, attempt integer, outcome text, external_id text, http_status integer, message text, retry_after double precision) IS 'Records the outcome of an attempt. Returns the sync''s new status, or null if another worker has the lease.

outcome:
- created, linked (to an existing record): the sync is ok, with external_id.
- simulated: as created, for a test organization.
- refused: the sync is failed.
- not_yet: refused, but the push is tried again until attempts have had this http_status for an hour.
- unauthorized: the sync is failed, and the connection is paused.
- not_made: no record was created; the push is tried again.
- unknown: a record may have been created; the push is tried again after settle_seconds.
- unclear: a record may have been created, and another attempt would end in the same way; the sync is failed until an operator
  decides.
- undecided: the vendor''s search can''t tell; the sync is failed until an operator decides.

retry_after: the seconds that the whole connection waits, at most 86,400. A push fails after 24 hours and 20 attempts. Raises
PT422 unknown_outcome.';

CREATE FUNCTION crm.tg_lead__push() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- A definer function, because the role that changes the lead can't read connections.
  if exists (
    select
    from crm.connection as c
    where c.organization_id = new.organization_id and c.push_stage = new.pipeline_stage
  ) then
    perform crm.request_push(new.organization_id, new.id, false);
  end if;
  return null;
end $$;

ALTER FUNCTION crm.tg_lead__push() OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.tg_lead__push() IS 'Requests the push of a lead that has entered the push_stage of the connection, in the same transaction.';

CREATE FUNCTION crm.wake_worker(organization_id uuid, lead_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- Only if a push waits: transactions that notify wait for each other at commit.
  if exists (
    select
    from crm.sync as s
    where s.organization_id = wake_worker.organization_id and s.lead_id = wake_worker.lead_id and s.status = 'pending'
  ) then
    call app.notify('leads_crm');
  end if;
end $$;

ALTER FUNCTION crm.wake_worker(organization_id uuid, lead_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION crm.wake_worker(organization_id uuid, lead_id uuid) IS 'Sends NOTIFY leads_crm, without data, if the lead has a pending push. Functions call it, not triggers. Workers find changes made in SQL by polling.';

CREATE FUNCTION intake.allowed_origin(origins text[], headers jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN (cardinality(origins) = 0) THEN '*'::text
             WHEN ((headers ->> 'origin'::text) = ANY (origins)) THEN (headers ->> 'origin'::text)
             ELSE NULL::text
         END AS "case";
END;

ALTER FUNCTION intake.allowed_origin(origins text[], headers jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.allowed_origin(origins text[], headers jsonb) IS 'The origin of the page that sends the request, if it is one of the form''s origins; * if the form has none; else null. headers: by name in lower case.';

CREATE FUNCTION intake.answers(content jsonb, preset text) RETURNS TABLE(path text, label text, type text, value jsonb)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_column
declare
  v_preset record;
  v_inner jsonb;
begin
  select p.content_path, p.list_path, p.list_keys, p.list_values, p.list_labels, p.titles_path into v_preset
  from intake.preset as p
  where p.name = answers.preset;
  -- A text that is a JSON object.
  select intake.content(e.value #>> '{}', 'application/json') into v_inner
  from intake.entries(answers.content) as e
  where e.path = v_preset.content_path;

  return query
    with entry as materialized (
      select e.path, e.value
      from intake.entries(answers.content) as e
      where not coalesce(v_inner ? 'body' and e.path = v_preset.content_path, false)
      union all
      select e.path, e.value
      from intake.entries(v_inner) as e
      where v_inner ? 'body'
    ),
    -- Each member of the list, with its values by their paths in it.
    member as (
      select m.number, jsonb_object_agg(m.inner_path, e.value) as parts
      from entry as e
      cross join lateral (select substr(e.path, length(v_preset.list_path) + 2) as rest) as r
      cross join lateral (
        select split_part(r.rest, '.', 1) as number, coalesce(substring(r.rest from '^[^.]*\.(.*)$'), 'value') as inner_path
      ) as m
      where starts_with(e.path, v_preset.list_path || '.')
      group by m.number
    ),
    title as (
      select jsonb_object_agg(t.inner_path, t.value) as parts
      from (
        select split_part(r.rest, '.', 1) as number, substring(r.rest from '^[^.]*\.(.*)$') as inner_path, e.value
        from entry as e
        cross join lateral (select substr(e.path, length(v_preset.titles_path) + 2) as rest) as r
        where starts_with(e.path, v_preset.titles_path || '.')
      ) as t
      where t.inner_path in ('id', 'title')
      group by t.number
    )
    select
      concat_ws('.', v_preset.list_path, coalesce(k.key, m.number)) collate "C" as path,
      coalesce(
        (
          select m.parts ->> l.name
          from unnest(v_preset.list_labels) with ordinality as l (name, position)
          where m.parts ? l.name
          order by l.position
          limit 1
        ),
        (select t.parts ->> 'title' from title as t where t.parts ->> 'id' = m.parts ->> 'field.id' limit 1)
      ),
      m.parts ->> 'type',
      -- An answer of an unknown kind is kept as it is.
      coalesce(
        (
          select case when count(*) > 1 then to_jsonb(string_agg(m.parts ->> n.name, ', ' order by n.position))
            else (array_agg(m.parts -> n.name))[1] end
          from unnest(v_preset.list_values) with ordinality as n (name, position)
          where m.parts ? n.name
          having count(*) > 0
        ),
        to_jsonb(left(m.parts::text, 1000))
      )
    from member as m
    left join lateral (
      select m.parts ->> n.name as key
      from unnest(v_preset.list_keys) with ordinality as n (name, position)
      where m.parts ? n.name
      order by n.position
      limit 1
    ) as k on true
    union all
    select e.path collate "C", null, null, e.value
    from entry as e
    where
      starts_with(e.path, v_preset.list_path || '.') is not true
      and starts_with(e.path, v_preset.titles_path || '.') is not true
    order by path;
end $_$;

ALTER FUNCTION intake.answers(content jsonb, preset text) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.answers(content jsonb, preset text) IS 'The answers in a submission. preset: the service that has sent it; null: anything.

path: where the answer stands; in a list, the name of the answer takes the place of its position. label: the text of the
question, or null. type: the type of the answer as the service calls it, or null. value: a text, a number or a boolean.';

CREATE FUNCTION intake.client_network(address text) RETURNS inet
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT
         CASE family((address)::inet)
             WHEN 6 THEN set_masklen((network(set_masklen((address)::inet, 64)))::inet, 64)
             ELSE (address)::inet
         END AS address;
END;

ALTER FUNCTION intake.client_network(address text) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.client_network(address text) IS 'The IPv4 address itself, or the first 64 bits of the IPv6 address.';

CREATE FUNCTION intake.content(payload text, media_type text, query text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_text text := content.payload;
  v_body jsonb;
  v_fault text;
  v_query jsonb := nullif(nullif(content.query, '')::jsonb, '[]');
  v_content jsonb;
begin
  begin
    -- Reading takes time for each value. A form of people has far fewer.
    if octet_length(v_text) - octet_length(translate(v_text, '[{', '')) > 1200 then
      v_fault := 'too_many_values';
    else
      v_body := v_text::jsonb;
    end if;
  exception
    when data_exception or program_limit_exceeded then
      v_fault := 'not_json';
  end;
  if v_fault is null then
    -- Some tools send an array with one object.
    if
      jsonb_typeof(v_body) = 'array' and jsonb_array_length(v_body) = 1
      and content.media_type not in ('application/x-www-form-urlencoded', 'multipart/form-data')
    then
      v_body := v_body -> 0;
    end if;
    v_fault := case
      -- The digits of 1e131071 would be written out.
      when v_body @? 'strict $.** ? (@.type() == "number" && (@ > 1e40 || @ < -1e40))' then 'number_too_large'
      when (
        select count(*) > 500
        from jsonb_path_query(v_body, 'strict $.** ? (@.type() != "object" && @.type() != "array")') as v (value)
      ) and jsonb_typeof(v_body) = 'object' then 'too_many_values'
      when jsonb_typeof(v_body) = 'object' then null
      when
        jsonb_typeof(v_body) = 'array'
        and content.media_type in ('application/x-www-form-urlencoded', 'multipart/form-data')
      then case when jsonb_array_length(v_body) > 500 then 'too_many_values' end
      else 'not_an_object'
    end;
  end if;
  v_content := case
    when v_fault is not null then jsonb_build_object('text', v_text, 'fault', v_fault)
    when jsonb_typeof(v_body) = 'object' then jsonb_build_object('body', v_body)
    else jsonb_build_object('fields', v_body)
  end;
  return jsonb_build_object('media_type', content.media_type) || v_content
    || case when v_query is not null then jsonb_build_object('query', v_query) else '{}' end;
end $_$;

ALTER FUNCTION intake.content(payload text, media_type text, query text) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.content(payload text, media_type text, query text) IS 'What a sender has sent: media_type, and body (a JSON object), fields (of a form) or text (anything else, with its fault), and
query.

payload: the body, or the fields of a form as the server makes them (app/server/payload.py). query: the fields of the query, as
JSON; null or empty: none. It fails for no payload.';

CREATE FUNCTION intake.create_form(organization_id uuid, settings jsonb, OUT form_id uuid, OUT token text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := create_form.organization_id;
  v_settings jsonb := jsonb_strip_nulls(create_form.settings);
  v_claim bytea;
  v_nonce bytea := uuid_send(gen_random_uuid());
begin
  perform app.raise_faults(422, 'validation_failed', intake.form_faults(v_organization_id, v_settings));
  form_id := app.new_id();
  -- 244 random bits.
  token := concat(
    'lf_',
    (select o.environment from app.organization as o where o.organization_id = v_organization_id),
    '_',
    translate(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'), '+/=', '-_')
  );
  v_claim := sha256(convert_to(token, 'UTF8'));
  insert into intake.form (
    organization_id, id, key_id, name, preset, source, mapping, constants, origins, honeypot, redirect_url, on_duplicate,
    duplicate_hours, requests_per_minute, credential
  )
  values (
    v_organization_id,
    form_id,
    auth.add_form_key(v_organization_id, app.clean_text(v_settings ->> 'name'), sha256(v_claim)),
    app.clean_text(v_settings ->> 'name'),
    v_settings ->> 'preset',
    coalesce(
      v_settings ->> 'source', (select p.source from intake.preset as p where p.name = v_settings ->> 'preset'), 'website'
    ),
    coalesce(v_settings -> 'mapping', '{}'),
    coalesce(v_settings -> 'constants', '{}'),
    array(select o.origin from jsonb_array_elements_text(coalesce(v_settings -> 'origins', '[]')) as o (origin)),
    v_settings ->> 'honeypot',
    v_settings ->> 'redirect_url',
    coalesce(v_settings ->> 'on_duplicate', 'create'),
    coalesce((v_settings ->> 'duplicate_hours')::numeric::integer, 24),
    coalesce((v_settings ->> 'requests_per_minute')::numeric::integer, 60),
    v_nonce || intake.encrypted(convert_to(app.clean_text(v_settings ->> 'secret'), 'UTF8'), v_claim, v_nonce)
  );
end $$;

ALTER FUNCTION intake.create_form(organization_id uuid, settings jsonb, OUT form_id uuid, OUT token text) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.create_form(organization_id uuid, settings jsonb, OUT form_id uuid, OUT token text) IS 'Creates a form and returns its id and its token, which is shown once: only the SHA-256 of its SHA-256 is stored.

settings: a JSON object (api.form_input). Raises PT401
unauthorized (auth.add_form_key) and PT422 validation_failed.';

CREATE FUNCTION intake.draft(organization_id uuid, form_id uuid, content jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_organization_id uuid := draft.organization_id;
  v_form record;
  v_preset record;
  v_entries jsonb;
  v_answer record;
  v_name text;
  v_base text;
  v_text text;
  v_target text;
  v_fields jsonb := '{}';
  v_details jsonb := '{}';
  v_signals jsonb := '{}';
  v_faults jsonb := '[]';
  v_emails text[];
begin
  select f.preset, f.source, f.mapping, f.constants, f.honeypot into v_form
  from intake.form as f
  where f.organization_id = v_organization_id and f.id = draft.form_id;
  select p.required, p.event_paths, p.mapping into v_preset from intake.preset as p where p.name = v_form.preset;
  if draft.content ? 'text' then
    return jsonb_build_object('fields', '{}'::jsonb, 'faults', jsonb_build_array(jsonb_build_object(
      'field', 'body',
      'code', draft.content ->> 'fault',
      'detail', case draft.content ->> 'fault'
        when 'too_many_values' then 'The body has more than 500 values.'
        when 'number_too_large' then 'The body has a number of more than 40 digits.'
        else 'The body is neither a form nor a JSON object.'
      end
    )));
  end if;

  v_entries := (select coalesce(jsonb_object_agg(e.path, e.value), '{}') from intake.entries(draft.content) as e);
  for v_answer in select a.path, a.label, a.type, a.value from intake.answers(draft.content, v_form.preset) as a loop
    v_text := app.clean_text(v_answer.value #>> '{}');
    continue when
      coalesce(v_text, '') = ''
      or v_answer.path = v_form.honeypot
      or starts_with(v_answer.path, v_form.honeypot || '.');
    -- The part after the last dot is the name, unless it says nothing.
    v_name := intake.machine_name(coalesce(
      v_answer.label, substring(v_answer.path from '([^.]+)\.(?:full|value|0)$'), substring(v_answer.path from '[^.]+$')
    ));
    v_target := coalesce(
      intake.mapped_target(v_form.mapping, v_answer.path, v_answer.label, v_answer.type),
      intake.mapped_target(v_preset.mapping, v_answer.path, v_answer.label, v_answer.type),
      intake.usual_target(v_name, v_text)
    );
    continue when v_target = 'ignore';
    if v_target = 'auto' then
      v_target := intake.usual_target(v_name, v_text);
    end if;
    if starts_with(v_target, 'signals.') and not v_signals ? substr(v_target, 9) then
      v_signals := v_signals || jsonb_build_object(substr(v_target, 9), v_answer.value);
      continue;
    elsif v_target !~ '^(details|signals)\.' and not v_fields ? v_target then
      v_fields := v_fields || jsonb_build_object(v_target, v_text);
      continue;
    elsif
      -- A good address takes the place of one that is not.
      (v_target = 'email' and app.is_email(app.ascii_email(v_text)) and not app.is_email(app.ascii_email(v_fields ->> 'email')))
      or (v_target = 'phone' and app.is_phone(v_text) and not app.is_phone(v_fields ->> 'phone'))
    then
      v_name := v_target;
      v_answer.value := v_fields -> v_target;
      v_fields := v_fields || jsonb_build_object(v_target, v_text);
      v_text := v_answer.value #>> '{}';
    elsif v_target like 'details.%' and v_target <> 'details.*' then
      v_name := substr(v_target, 9);
    end if;
    -- Two values with the same name, or a name without letters: the whole path tells them apart.
    if v_name is null or v_details ? v_name then
      v_name := coalesce(intake.machine_name(v_answer.path), 'value');
    end if;
    v_name := left(case when v_name ~ '^[a-z]' then v_name else 'field_' || v_name end, 64);
    v_base := left(v_name, 60);
    for v_number in 2 .. 501 loop
      exit when not v_details ? v_name;
      v_name := v_base || '_' || v_number;
    end loop;
    v_details := v_details || jsonb_build_object(
      v_name, case jsonb_typeof(v_answer.value) when 'string' then to_jsonb(v_text) else v_answer.value end
    );
  end loop;

  -- A form whose fields have numbers for names.
  if not v_fields ? 'email' then
    v_emails := array(
      select d.key from jsonb_each_text(v_details) as d (key, value) where app.is_email(app.ascii_email(d.value)) limit 2
    );
    if cardinality(v_emails) = 1 then
      v_fields := v_fields || jsonb_build_object('email', v_details ->> v_emails[1]);
      v_details := v_details - v_emails[1];
    end if;
  end if;
  if v_fields ?| '{first_name,last_name}' then
    v_text := concat_ws(' ', v_fields ->> 'first_name', v_fields ->> 'last_name');
    if not v_fields ? 'name' then
      v_fields := v_fields || jsonb_build_object('name', v_text);
    elsif not v_fields ? 'last_name' or not v_fields ? 'first_name' then
      -- nombre and apellidos; nom and prenom.
      v_fields := v_fields || jsonb_build_object(
        'name', concat_ws(' ', v_fields ->> 'first_name', v_fields ->> 'name', v_fields ->> 'last_name')
      );
    elsif v_fields ->> 'name' <> v_text then
      v_details := jsonb_build_object('first_name', v_fields -> 'first_name', 'last_name', v_fields -> 'last_name') || v_details;
    end if;
  end if;
  if v_fields ? 'phone_area' then
    v_fields := v_fields || jsonb_build_object('phone', concat_ws(' ', v_fields ->> 'phone_area', v_fields ->> 'phone'));
  end if;
  v_fields := jsonb_build_object('source', v_form.source) || (v_fields - '{first_name,last_name,phone_area}'::text[]);
  v_fields := v_fields || jsonb_build_object('source', coalesce(intake.machine_name(v_fields ->> 'source'), v_form.source));
  for v_answer in select c.key, c.value from jsonb_each(v_form.constants) as c loop
    if starts_with(v_answer.key, 'details.') then
      v_details := v_details || jsonb_build_object(substr(v_answer.key, 9), v_answer.value);
    else
      -- What was sent instead is not lost.
      if v_answer.key <> 'source' and v_fields ? v_answer.key and v_fields -> v_answer.key <> v_answer.value then
        v_details := jsonb_build_object(v_answer.key, v_fields -> v_answer.key) || v_details;
      end if;
      v_fields := v_fields || jsonb_build_object(v_answer.key, v_answer.value);
    end if;
  end loop;

  -- The names of files. Their content is not read.
  v_faults := (
    select coalesce(jsonb_agg(jsonb_build_object(
      'field', left(coalesce(f.field ->> 'name', 'body'), 100),
      'code', case when f.field ? 'fault' then 'malformed' else 'file_refused' end,
      'detail', case
        when f.field ? 'fault' then 'The form breaks off, or is malformed. Fields after this place are missing.'
        else format(
          'The file "%s" was not stored. The other fields count.',
          regexp_replace(left(f.field ->> 'file', 100), '[[:cntrl:]]', '?', 'g')
        )
      end
    )), '[]')
    from jsonb_array_elements(coalesce(draft.content -> 'fields', '[]')) as f (field)
    where f.field ? 'file' or f.field ? 'fault'
  );
  return jsonb_build_object(
    'fields', v_fields,
    'details', v_details,
    'signals', v_signals,
    'faults', v_faults,
    'is_lead', coalesce(v_entries @> v_preset.required, true),
    'is_caught', exists (
      select
      from jsonb_each_text(v_entries) as e (path, value)
      where
        (e.path = v_form.honeypot or starts_with(e.path, v_form.honeypot || '.'))
        and coalesce(app.clean_text(e.value), '') not in ('', 'false')
    ),
    'event', (
      select v_entries ->> p.path
      from unnest(v_preset.event_paths) with ordinality as p (path, position)
      where v_entries ? p.path
      order by p.position
      limit 1
    )
  );
end $_$;

ALTER FUNCTION intake.draft(organization_id uuid, form_id uuid, content jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.draft(organization_id uuid, form_id uuid, content jsonb) IS 'The lead that a submission describes, before it is checked, as an object.

fields: texts by field of the lead; details: values by name; signals: values by type; faults: what is wrong already, an array of
{field, code, detail}; is_lead: whether it has what the preset requires; is_caught: whether the honeypot has a value; event: the
sender''s id of it, or null. content: of intake.content. An answer goes where the form''s mapping says, else where the preset''s
says, else where its name usually belongs (intake.usual_target), else into the details.';

CREATE FUNCTION intake.encrypted(value bytea, claim bytea, nonce bytea) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_stream bytea := '';
  v_result bytea := encrypted.value;
begin
  while octet_length(v_stream) < octet_length(encrypted.value) loop
    v_stream := v_stream || intake.hmac_sha256(encrypted.claim, encrypted.nonce || int4send(octet_length(v_stream)));
  end loop;
  for v_byte in 0 .. octet_length(encrypted.value) - 1 loop
    v_result := set_byte(v_result, v_byte, get_byte(encrypted.value, v_byte) # get_byte(v_stream, v_byte));
  end loop;
  return v_result;
end $$;

ALTER FUNCTION intake.encrypted(value bytea, claim bytea, nonce bytea) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.encrypted(value bytea, claim bytea, nonce bytea) IS 'The value, encrypted with the claim; encrypted again, it is the value.

claim: SHA-256 of the token, which the database does not store. A request of the form has it, and nothing else does. nonce: 16
random bytes. The value is combined by XOR with HMAC-SHA-256 of the nonce and a counter (a stream cipher). Nobody can change
it unnoticed: what is decrypted is compared with a signature.';

CREATE FUNCTION intake.entries(content jsonb) RETURNS TABLE(path text, value jsonb)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 WITH RECURSIVE node(path, value) AS (
          SELECT NULL::text AS text,
             (entries.content -> 'body'::text) AS "?column?"
         UNION ALL
          SELECT concat_ws('.'::text, n.path, "left"(m.key, 200)) AS concat_ws,
             m.value
            FROM (node n
              CROSS JOIN LATERAL ( SELECT o.key,
                     o.value
                    FROM jsonb_each(
                         CASE jsonb_typeof(n.value)
                             WHEN 'object'::text THEN n.value
                             ELSE '{}'::jsonb
                         END) o(key, value)
                 UNION ALL
                  SELECT ((a."position" - 1))::text AS text,
                     a.value
                    FROM jsonb_array_elements(
                         CASE
                             WHEN (n.value @? 'strict $[*]?(@.type() == "object" || @.type() == "array")'::jsonpath) THEN n.value
                             ELSE '[]'::jsonb
                         END) WITH ORDINALITY a(value, "position")) m)
         ), field AS (
          SELECT rtrim(regexp_replace("left"((f.field ->> 'name'::text), 200), '\[([^]]*)\]'::text, '.\1'::text, 'g'::text), '.'::text) AS path,
             (f.field ->> 'value'::text) AS value,
             f."position"
            FROM jsonb_array_elements((COALESCE((entries.content -> 'fields'::text), '[]'::jsonb) || COALESCE((entries.content -> 'query'::text), '[]'::jsonb))) WITH ORDINALITY f(field, "position")
           WHERE (f.field ? 'value'::text)
         )
  SELECT n.path,
         CASE jsonb_typeof(n.value)
             WHEN 'array'::text THEN to_jsonb(( SELECT string_agg(t.text, ', '::text ORDER BY t."position") AS string_agg
                FROM jsonb_array_elements_text(n.value) WITH ORDINALITY t(text, "position")))
             ELSE n.value
         END AS value
    FROM node n
   WHERE ((n.path IS NOT NULL) AND (jsonb_typeof(n.value) <> ALL (ARRAY['object'::text, 'null'::text])) AND ((n.value @? 'strict $[*]?(@.type() == "object" || @.type() == "array")'::jsonpath) IS NOT TRUE))
 UNION ALL
  SELECT f.path,
     to_jsonb(string_agg(f.value, ', '::text ORDER BY f."position")) AS to_jsonb
    FROM field f
   GROUP BY f.path;
END;

ALTER FUNCTION intake.entries(content jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.entries(content jsonb) IS 'The texts, numbers and booleans in a submission, each with its path: the names of the objects around it and the positions in the arrays around it, from 0, with dots in between. A name counts up to its 200th character. content: of intake.content.';

CREATE FUNCTION intake.form_answer(redirect_url text, origins text[], headers jsonb, media_type text) RETURNS api.answer
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- A script that sends a form asks for JSON. It would follow a redirect to a page of another origin, and fail.
  v_is_redirected boolean := form_answer.redirect_url is not null
    and form_answer.media_type in ('application/x-www-form-urlencoded', 'multipart/form-data')
    and coalesce(form_answer.headers ->> 'accept', '') not like '%application/json%';
begin
  return row(
    case when v_is_redirected then 303 else 200 end,
    json_strip_nulls(json_build_object(
      'Access-Control-Allow-Origin', intake.allowed_origin(form_answer.origins, form_answer.headers),
      'Location', case when v_is_redirected then form_answer.redirect_url end,
      'Vary', 'Origin'
    )),
    case when not v_is_redirected then '{"status":"received"}' end
  );
end $$;

ALTER FUNCTION intake.form_answer(redirect_url text, origins text[], headers jsonb, media_type text) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.form_answer(redirect_url text, origins text[], headers jsonb, media_type text) IS 'The response to a submission: 303 to redirect_url for a form of a web page, otherwise {"status": "received"}.';

CREATE FUNCTION intake.form_faults(organization_id uuid, settings jsonb) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_settings jsonb := form_faults.settings;
begin
  return (
    with setting as (
      select s.key, s.value, jsonb_typeof(s.value) as type, s.value #>> '{}' as text
      from jsonb_each(v_settings) as s (key, value)
      where s.value <> 'null'
    ),
    target as (
      select 'mapping' as field, m.key, m.value #>> '{}' as target, jsonb_typeof(m.value) as type
      from jsonb_each(case jsonb_typeof(v_settings -> 'mapping') when 'object' then v_settings -> 'mapping' else '{}' end)
        as m (key, value)
      union all
      select 'constants', c.key, c.key, 'string'
      from jsonb_each(case jsonb_typeof(v_settings -> 'constants') when 'object' then v_settings -> 'constants' else '{}' end)
        as c (key, value)
    ),
    constants (fields) as (
      select
        coalesce(jsonb_object_agg(c.key, c.value) filter (where c.key not like 'details.%'), '{}')
        || jsonb_build_object('details', coalesce(
          jsonb_object_agg(substr(c.key, 9), c.value) filter (where c.key like 'details.%'), '{}'
        ))
      from jsonb_each(case jsonb_typeof(v_settings -> 'constants') when 'object' then v_settings -> 'constants' else '{}' end)
        as c (key, value)
    ),
    fault (field, code, detail) as (
      select s.key, 'unknown_field', 'A form has no such setting. Leave it out.'
      from setting as s
      where s.key not in (
        'name', 'preset', 'source', 'mapping', 'constants', 'origins', 'honeypot', 'redirect_url', 'on_duplicate',
        'duplicate_hours', 'requests_per_minute', 'secret'
      )
      union all
      select s.key, 'wrong_type', 'This must be a text.'
      from setting as s
      where
        s.key in ('name', 'preset', 'source', 'honeypot', 'redirect_url', 'on_duplicate', 'secret') and s.type <> 'string'
      union all
      select s.key, 'invalid_text', 'This must have 1 to 255 characters, and no control characters.'
      from setting as s
      where s.key in ('name', 'secret') and s.type = 'string'
        and (app.is_text(app.clean_text(s.text), 255) is not true or app.control_character(s.text) is not null)
      union all
      select s.key, 'unknown_preset', format(
        'This must be one of %s.', (select string_agg(p.name, ', ' order by p.name) from intake.preset as p)
      )
      from setting as s
      where s.key = 'preset' and s.type = 'string' and not exists (select from intake.preset as p where p.name = s.text)
      union all
      select s.key, 'no_signature', 'A sender of this form does not sign. Leave the secret out, or choose a preset that signs.'
      from setting as s
      where
        s.key = 'secret'
        and not exists (select from intake.preset as p where p.name = v_settings ->> 'preset' and p.signature is not null)
      union all
      select s.key, 'invalid_name', 'This must be a name of 1 to 64 characters out of a-z, 0-9, _ and -, such as website.'
      from setting as s
      where s.key = 'source' and s.type = 'string' and not app.is_name(s.text)
      union all
      select s.key, 'invalid_text', 'This must be the name of a field, with 1 to 64 characters.'
      from setting as s
      where s.key = 'honeypot' and s.type = 'string' and app.is_text(s.text, 64) is not true
      union all
      select s.key, 'invalid_url', 'This must be a URL with http or https, of at most 2,000 characters.'
      from setting as s
      where
        s.key = 'redirect_url' and s.type = 'string'
        and not (s.text ~ '^https?://[^[:space:][:cntrl:]]+$' and char_length(s.text) <= 2000)
      union all
      select s.key, 'unknown_value', 'This must be create, skip or fill.'
      from setting as s
      where s.key = 'on_duplicate' and s.type = 'string' and s.text not in ('create', 'skip', 'fill')
      union all
      select s.key, 'out_of_range', case s.key
        when 'duplicate_hours' then 'This must be a whole number from 1 to 8760.'
        else 'This must be a whole number from 1 to 6000.'
      end
      from setting as s
      where
        s.key in ('duplicate_hours', 'requests_per_minute')
        and not case when s.type = 'number' then
          s.value::numeric between 1 and case s.key when 'duplicate_hours' then 8760 else 6000 end and s.value::numeric % 1 = 0
        else false end
      union all
      select s.key, 'wrong_type', 'This must be an array of up to 20 origins, such as https://www.example.com.'
      from setting as s
      where
        s.key = 'origins'
        and not case when s.type = 'array' then
          jsonb_array_length(s.value) <= 20
          and not s.value @? 'strict $[*] ? (@.type() != "string")'
          and not exists (
            select from jsonb_array_elements_text(case s.type when 'array' then s.value else '[]' end) as o (origin)
            where o.origin !~ '^https?://[a-z0-9.-]+(:[0-9]{1,5})?$'
          )
        else false end
      union all
      select s.key, 'wrong_type', 'This must be an object with at most 200 members and 16 KiB.'
      from setting as s
      where
        s.key in ('mapping', 'constants')
        and not case when s.type = 'object' then
          (select count(*) from jsonb_object_keys(s.value)) <= 200 and octet_length(s.text) <= 16384
        else false end
      union all
      select
        t.field || '.' || t.key, 'unknown_target',
        'This must be a field of a lead, details.NAME' || case t.field when 'mapping' then ', signals.NAME, auto or ignore.' else '.' end
      from target as t
      where
        t.type <> 'string'
        or not (
          t.target ~ '^details\.[a-z][a-z0-9_]{0,63}$'
          or (t.target !~ '^(lead_score|ai_reasoning|details)$' and exists (select from app.lead_field as f where f.name = t.target))
          or (
            t.field = 'mapping'
            and (t.target in ('ignore', 'auto', 'first_name', 'last_name') or (t.target ~ '^signals\.' and app.is_name(substr(t.target, 9))))
          )
        )
      union all
      select 'constants.' || (f.fault ->> 'field'), f.fault ->> 'code', f.fault ->> 'detail'
      from constants as c
      cross join lateral json_array_elements(app.lead_faults(form_faults.organization_id, c.fields)) as f (fault)
      where f.fault ->> 'code' not in ('unknown_field', 'read_only_field')
    )
    select json_agg(json_build_object('field', left(f.field, 100), 'code', f.code, 'detail', f.detail) order by f.field, f.code)
    from fault as f
  );
end $_$;

ALTER FUNCTION intake.form_faults(organization_id uuid, settings jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.form_faults(organization_id uuid, settings jsonb) IS 'The faults of the settings of a form, a JSON object (api.form_input). Returns a JSON array of {field, code, detail}, or null.';

CREATE FUNCTION intake.hmac_sha256(key bytea, message bytea) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_key bytea := case when octet_length(hmac_sha256.key) > 64 then sha256(hmac_sha256.key) else hmac_sha256.key end;
  v_inner bytea;
  v_outer bytea;
begin
  v_key := v_key || decode(repeat('00', 64 - octet_length(v_key)), 'hex');
  v_inner := v_key;
  v_outer := v_key;
  for v_byte in 0 .. 63 loop
    v_inner := set_byte(v_inner, v_byte, get_byte(v_key, v_byte) # x'36'::integer);
    v_outer := set_byte(v_outer, v_byte, get_byte(v_key, v_byte) # x'5c'::integer);
  end loop;
  return sha256(v_outer || sha256(v_inner || hmac_sha256.message));
end $$;

ALTER FUNCTION intake.hmac_sha256(key bytea, message bytea) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.hmac_sha256(key bytea, message bytea) IS 'HMAC-SHA-256 (RFC 2104) of a message, 32 bytes. key: of any length. The extension pgcrypto has the function too, but not every server has the extension.';

CREATE FUNCTION intake.machine_name(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT NULLIF(btrim("left"(btrim(regexp_replace(lower(regexp_replace(NORMALIZE(value, NFKD), '[̀-ͯ]'::text, ''::text, 'g'::text)), '[^a-z0-9]+'::text, '_'::text, 'g'::text), '_'::text), 64), '_'::text), ''::text) AS "nullif";
END;

ALTER FUNCTION intake.machine_name(value text) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.machine_name(value text) IS 'The text in lower case, without accents, and with _ for every run of other characters: "Google Ads" is google_ads. At most 64 characters. Null: no character is left.';

CREATE FUNCTION intake.make_lead(organization_id uuid, form_id uuid, draft jsonb, OUT outcome text, OUT lead_id uuid, OUT faults jsonb) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  v_organization_id uuid := make_lead.organization_id;
  v_form record;
  v_fields jsonb := make_lead.draft -> 'fields';
  v_details jsonb := coalesce(make_lead.draft -> 'details', '{}');
  v_signals jsonb := coalesce(make_lead.draft -> 'signals', '{}');
  v_known jsonb := '{}';
  v_fault record;
  v_lead app.lead_values;
  v_constraint text;
begin
  faults := make_lead.draft -> 'faults';
  outcome := 'kept';
  select f.on_duplicate, f.duplicate_hours into v_form
  from intake.form as f
  where f.organization_id = v_organization_id and f.id = make_lead.form_id;
  if make_lead.draft ->> 'is_caught' = 'true' then
    faults := faults || jsonb_build_array(jsonb_build_object(
      'field', 'body', 'code', 'honeypot', 'detail', 'The honeypot has a value, so this is probably spam.'
    ));
    return;
  elsif make_lead.draft ->> 'is_repeat' = 'true' then
    faults := faults || jsonb_build_array(jsonb_build_object(
      'field', 'body', 'code', 'repeated_event',
      'detail', 'The sender has sent another submission with this id before, which became a lead.'
    ));
    return;
  elsif make_lead.draft ->> 'is_lead' = 'false' then
    outcome := 'ignored';
    faults := faults || jsonb_build_array(jsonb_build_object(
      'field', 'body', 'code', 'no_lead', 'detail', 'This is not what the preset of the form makes leads of.'
    ));
    return;
  end if;

  -- A value that is no good for its field becomes a detail, so that nothing is lost.
  for v_fault in
    select f.fault ->> 'field' as field, f.fault
    from json_array_elements(app.lead_faults(v_organization_id, v_fields)) as f (fault)
  loop
    faults := faults || jsonb_build_array(v_fault.fault::jsonb);
    v_details := jsonb_build_object(v_fault.field, v_fields -> v_fault.field) || v_details;
    v_fields := v_fields - v_fault.field;
  end loop;
  for v_fault in
    select d.field, d.code, d.detail from app.details_faults(v_details) as d (field, code, detail)
  loop
    faults := faults || jsonb_build_array(to_jsonb(v_fault));
    v_details := v_details - substr(v_fault.field, 9);
  end loop;
  -- The largest details that are too many stay in the submission only.
  for v_fault in
    select d.key
    from (
      select
        d.key,
        row_number() over smallest as number,
        -- Quotation marks, a colon, a comma and two spaces.
        sum(octet_length(d.key) + octet_length(d.value::text) + 6) over smallest as size
      from jsonb_each(v_details) as d (key, value)
      window smallest as (order by octet_length(d.value::text), d.key rows unbounded preceding)
    ) as d
    where d.number > 50 or d.size > 16300
  loop
    faults := faults || jsonb_build_array(jsonb_build_object(
      'field', 'details.' || v_fault.key, 'code', 'too_many', 'detail', 'A lead has at most 50 details, and 16 KiB of them.'
    ));
    v_details := v_details - v_fault.key;
  end loop;
  for v_fault in
    select s.key from jsonb_each(v_signals) as s (key, value)
    where not (app.is_name(s.key) and scoring.is_signal_value(scoring.clean_value(s.value)))
  loop
    faults := faults || jsonb_build_array(jsonb_build_object(
      'field', 'signals.' || v_fault.key, 'code', 'invalid_signal', 'detail', 'This is no signal of a lead.'
    ));
    v_signals := v_signals - v_fault.key;
  end loop;
  if
    not v_fields ? 'email'
    and not v_fields ?& '{name,company}'
    and app.contact_fault(v_organization_id, v_fields ?& '{name,phone}', false) is not null
  then
    faults := faults || app.contact_fault(v_organization_id, v_fields ?& '{name,phone}', false)::jsonb;
    return;
  end if;
  v_lead := app.lead_from(v_fields || case when v_details <> '{}' then jsonb_build_object('details', v_details) else '{}' end, null);

  begin
    if v_form.on_duplicate <> 'create' then
      -- Two submissions of a person at the same time would both find no lead.
      perform from intake.form as f
      where f.organization_id = v_organization_id and f.id = make_lead.form_id
      for no key update;
      select l.id into lead_id
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and (
          l.email_key = lower(v_lead.email collate "C")
          or l.phone_key = app.phone_key(v_lead.phone, app.country_code(v_organization_id))
        )
        and l.created_at >= now() - make_interval(hours => v_form.duplicate_hours)
      order by l.created_at desc, l.id desc
      limit 1;
    end if;
    if lead_id is null then
      insert into app.lead as l (
        organization_id, name, company, email, source, pipeline_stage, industry, company_size, pain_points, timeline,
        budget_range, phone, reference, details
      )
      values (
        v_organization_id, v_lead.name, v_lead.company, v_lead.email, v_lead.source, coalesce(v_lead.pipeline_stage, 'new'),
        v_lead.industry, v_lead.company_size, v_lead.pain_points, v_lead.timeline, v_lead.budget_range, v_lead.phone,
        v_lead.reference, v_lead.details
      )
      returning l.id into lead_id;
      outcome := 'created';
    elsif v_form.on_duplicate = 'fill' then
      update app.lead as l
      set
        name = coalesce(l.name, v_lead.name),
        company = coalesce(l.company, v_lead.company),
        email = coalesce(l.email, v_lead.email),
        industry = coalesce(l.industry, v_lead.industry),
        company_size = coalesce(l.company_size, v_lead.company_size),
        pain_points = coalesce(l.pain_points, v_lead.pain_points),
        timeline = coalesce(l.timeline, v_lead.timeline),
        budget_range = coalesce(l.budget_range, v_lead.budget_range),
        phone = coalesce(l.phone, v_lead.phone),
        details = case
          when app.details_size_faults(coalesce(v_lead.details, '{}') || coalesce(l.details, '{}')) is null
            then nullif(coalesce(v_lead.details, '{}') || coalesce(l.details, '{}'), '{}')
          else l.details
        end
      where l.organization_id = v_organization_id and l.id = lead_id;
      outcome := 'filled';
    else
      outcome := 'skipped';
    end if;
    if outcome <> 'created' then
      faults := faults || (
        select coalesce(jsonb_agg(jsonb_build_object(
          'field', s.key, 'code', 'not_stored', 'detail', 'The lead that was there has another value, which stays.'
        ) order by s.key), '[]')
        from app.lead as l
        cross join lateral (
          select s.key, s.value, to_jsonb(l) -> s.key as stored
          from jsonb_each(jsonb_strip_nulls(to_jsonb(v_lead)) - 'details') as s (key, value)
          union all
          select 'details.' || d.key, d.value, l.details -> d.key
          from jsonb_each(coalesce(v_lead.details, '{}')) as d (key, value)
        ) as s
        where
          l.organization_id = v_organization_id and l.id = lead_id
          and s.value is distinct from s.stored
          and not (s.key = 'email' and lower(s.value #>> '{}') = lower(s.stored #>> '{}'))
          and s.key not in ('source', 'pipeline_stage')
      );
    end if;
    if outcome <> 'skipped' and v_signals <> '{}' then
      insert into scoring.signal (organization_id, lead_id, type, value, observed_at)
      select v_organization_id, make_lead.lead_id, s.key, scoring.clean_value(s.value), date_trunc('milliseconds', now())
      from jsonb_each(v_signals) as s (key, value);
      if (select m.document -> 'rescore_on_signal' = 'true' from scoring.model_in_force(v_organization_id) as m) then
        perform scoring.score_lead(v_organization_id, lead_id);
      end if;
    end if;
  exception
    when integrity_constraint_violation or data_exception then
      -- It keeps the submission: a mapping that the constants or another lead contradict.
      get stacked diagnostics v_constraint = constraint_name;
      outcome := 'kept';
      lead_id := null;
      faults := faults || jsonb_build_array(jsonb_build_object(
        'field', case when v_constraint = 'lead_by_reference' then 'reference' else 'body' end,
        'code', case when v_constraint = 'lead_by_reference' then 'reference_in_use' else 'refused' end,
        'detail', case
          when v_constraint = 'lead_by_reference' then 'Another lead has this reference.'
          else format('The lead breaks the rule %s.', coalesce(nullif(v_constraint, ''), sqlstate))
        end
      ));
      return;
  end;
  perform crm.wake_worker(v_organization_id, lead_id);
end $$;

ALTER FUNCTION intake.make_lead(organization_id uuid, form_id uuid, draft jsonb, OUT outcome text, OUT lead_id uuid, OUT faults jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.make_lead(organization_id uuid, form_id uuid, draft jsonb, OUT outcome text, OUT lead_id uuid, OUT faults jsonb) IS 'Makes a lead of a draft (intake.draft), or finds the lead that it repeats, as the form says.

outcome: created, filled, skipped, ignored or kept (intake.submission). faults: all that was wrong, an array of {field, code,
detail}; empty: nothing. A value that its field can''t have becomes a detail. A detail that a lead can''t have is left out. The
submission is kept if what is left is no lead.';

CREATE FUNCTION intake.mapped_target(mapping jsonb, path text, label text, type text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT COALESCE((mapping ->> path), (mapping ->> label), (mapping ->> ('type:'::text || type)), ( SELECT m.target
            FROM jsonb_each_text(mapped_target.mapping) m(pattern, target)
           WHERE ((strpos(m.pattern, '*'::text) > 0) AND (mapped_target.path ~~ replace(replace(replace(replace(m.pattern, '\'::text, '\\'::text), '%'::text, '\%'::text), '_'::text, '\_'::text), '*'::text, '%'::text)))
           ORDER BY (length(m.pattern)) DESC, m.pattern
          LIMIT 1)) AS "coalesce";
END;

ALTER FUNCTION intake.mapped_target(mapping jsonb, path text, label text, type text) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.mapped_target(mapping jsonb, path text, label text, type text) IS 'The field, details.NAME, signals.NAME, auto or ignore that the mapping (intake.form.mapping) has for an answer: by its path, the text of its question, its type, or a path with *. Null: none.';

CREATE FUNCTION intake.signature_fault(kind text, secret bytea, headers jsonb, payload text, content jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_header text := case signature_fault.kind
    when 'typeform' then 'typeform-signature'
    when 'calendly' then 'calendly-webhook-signature'
    when 'webflow' then 'x-webflow-signature'
  end;
  v_sent text := case
    when signature_fault.kind = 'google_key' then signature_fault.content #>> '{body,google_key}'
    when signature_fault.kind = 'calendly' then substring(signature_fault.headers ->> v_header from 'v1=([0-9a-f]{64})')
    else signature_fault.headers ->> v_header
  end;
  -- Seconds since 1970.
  v_time text := case signature_fault.kind
    when 'calendly' then substring(signature_fault.headers ->> v_header from 't=([0-9]{1,12})(?:,|$)')
    when 'webflow' then substring(signature_fault.headers ->> 'x-webflow-timestamp' from '^[0-9]{1,15}$')
  end;
  v_message text := case signature_fault.kind
    when 'typeform' then signature_fault.payload
    when 'calendly' then v_time || '.' || signature_fault.payload
    when 'webflow' then v_time || ':' || signature_fault.payload
  end;
  v_hash bytea;
  v_expected text;
begin
  v_hash := intake.hmac_sha256(signature_fault.secret, convert_to(v_message, 'UTF8'));
  v_expected := case signature_fault.kind
    when 'google_key' then convert_from(signature_fault.secret, 'UTF8')
    when 'typeform' then 'sha256=' || replace(encode(v_hash, 'base64'), chr(10), '')
    else encode(v_hash, 'hex')
  end;
  -- The hashes, so that the time of the comparison says nothing about the signature.
  if (sha256(convert_to(v_sent, 'UTF8')) = sha256(convert_to(v_expected, 'UTF8'))) is not true then
    return jsonb_build_object(
      'field', coalesce(v_header, 'google_key'), 'code', 'invalid_signature',
      'detail', 'The signature is missing or wrong. Compare the secret of the form with that of the sender.'
    );
  elsif
    v_time is not null
    and abs(extract(epoch from clock_timestamp()) - v_time::numeric / case signature_fault.kind when 'webflow' then 1000 else 1 end) > 300
  then
    return jsonb_build_object(
      'field', v_header, 'code', 'old_signature', 'detail', 'The signature is more than 5 minutes old.'
    );
  end if;
  return null;
end $_$;

ALTER FUNCTION intake.signature_fault(kind text, secret bytea, headers jsonb, payload text, content jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.signature_fault(kind text, secret bytea, headers jsonb, payload text, content jsonb) IS 'Why a submission is not certainly of its sender, as {field, code, detail}; null: it is.

kind: of intake.preset.signature. headers: by name in lower case. payload: the body as it was sent.
typeform: base64 of HMAC-SHA-256 of the body. calendly: t and v1, hexadecimal HMAC-SHA-256 of "t.body". webflow: hexadecimal
HMAC-SHA-256 of "timestamp:body", with milliseconds. The times may be 5 minutes off. google_key: the secret itself, in the body.';

CREATE FUNCTION intake.usual_target(name text, value text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  -- q3_fullName and your-email are full_name and email.
  v_name text := regexp_replace(usual_target.name, '^(q[0-9]+|your|my|contact|customer|lead|field)_', '');
begin
  return case
    when v_name ~ '^(work_|business_|primary_)?(e_?mail|e_?mail_address|mail|correo|correo_electronico|adresse_e_?mail)$' then 'email'
    when
      v_name ~ '^(work_|business_|home_|primary_)?(phone|phone_?number|phone_no|tel|telephone|telephone_number|mobile|mobile_phone|mobile_number|cell|cell_phone|telefon|telefono|telefonnummer|handy)$'
      then 'phone'
    when v_name ~ '^(name|full_?name|nombre|nom)$' then 'name'
    when v_name ~ '^(first_?name|given_?name|fname|first|vorname|prenom)$' then 'first_name'
    when v_name ~ '^(last_?name|sur_?name|family_?name|lname|last|nachname|apellido|apellidos)$' then 'last_name'
    when v_name ~ '^(company|company_?name|organi[sz]ation|organi[sz]ation_?name|business|business_?name|firma|empresa)$' then 'company'
    when v_name ~ '^(message|messages|comment|comments|note|notes|inquiry|enquiry|description|details|mensaje|nachricht)$' then 'pain_points'
    when v_name = 'industry' then 'industry'
    when v_name in ('company_size', 'timeline') then v_name
    when v_name in ('budget', 'budget_range') then 'budget_range'
    -- The text of a question. The answer must look like it, too.
    when v_name ~ '(^|_)e_?mail(_|$)' and app.is_email(usual_target.value) then 'email'
    when v_name ~ '(^|_)(phone|telephone|mobile|cell)(_|$)' and app.is_phone(usual_target.value) then 'phone'
    when v_name ~ '(^|_)your_(full_)?name$' then 'name'
    when v_name ~ '(^|_)first_name$' then 'first_name'
    when v_name ~ '(^|_)last_name$' then 'last_name'
    when v_name ~ '(^|_)(your_company|company_name)$' then 'company'
  end;
end $_$;

ALTER FUNCTION intake.usual_target(name text, value text) OWNER TO leads_owner;

COMMENT ON FUNCTION intake.usual_target(name text, value text) IS 'The field of a lead that answers with this name usually belong to; first_name and last_name are the parts of name. Null: none.

name: a machine name (intake.machine_name) of the answer or of its question. value: the answer, for names that say less.';

CREATE FUNCTION scoring.clean_value(value jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if jsonb_typeof(clean_value.value) = 'object' then
    return (
      select coalesce(
        jsonb_object_agg(
          m.key, case jsonb_typeof(m.value) when 'string' then to_jsonb(app.clean_text(m.value #>> '{}')) else m.value end
        ),
        '{}'
      )
      from jsonb_each(clean_value.value) as m (key, value)
    );
  end if;
  return case jsonb_typeof(clean_value.value)
    when 'string' then to_jsonb(app.clean_text(clean_value.value #>> '{}'))
    else clean_value.value
  end;
end $$;

ALTER FUNCTION scoring.clean_value(value jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.clean_value(value jsonb) IS 'The value of a signal with its texts as app.clean_text stores them. Null for null.';

CREATE FUNCTION scoring.compute_scores(organization_id uuid, lead_ids uuid[], instants timestamp with time zone[], model jsonb, counts_future boolean) RETURNS TABLE(lead_id uuid, lead_score integer, ai_reasoning text, contributions json)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_organization_id uuid := compute_scores.organization_id;
  v_base numeric := (compute_scores.model ->> 'base')::numeric;
begin
  return query
  with rule as materialized (
    select
      r.ordinality as position,
      r.rule ->> 'name' as name,
      r.rule ->> 'signal' as signal,
      r.rule ->> 'field' as field,
      r.rule ->> 'key' as key,
      coalesce(r.rule ->> 'operator', 'present') as operator,
      r.rule -> 'value' as operand,
      r.rule ->> 'label' as label,
      (r.rule ->> 'weight')::numeric as weight,
      (r.rule ->> 'half_life_hours')::numeric as half_life_hours,
      r.rule ->> 'group' as "group",
      (compute_scores.model -> 'groups' -> (r.rule ->> 'group') ->> 'cap')::numeric as cap
    from jsonb_array_elements(compute_scores.model -> 'rules') with ordinality as r (rule, ordinality)
  ),
  type as materialized (
    select distinct r.signal as name from rule as r where r.signal is not null
  ),
  moment as (
    select m.lead_id, m.instant from unnest(compute_scores.lead_ids, compute_scores.instants) as m (lead_id, instant)
  ),
  -- Materialized, because PostgreSQL 15 does not compare an index of a table with row-level security with an expression
  -- that is not leakproof.
  wanted as materialized (
    select m.lead_id, m.instant, t.name as type, m.lead_id::text || '/' || t.name as lead_and_type
    from moment as m
    cross join type as t
  ),
  latest as (
    select w.lead_id, w.type, s.id, s.value, s.observed_at
    from wanted as w
    cross join lateral (
      select s.id, s.value, s.observed_at
      from scoring.signal as s
      where
        s.organization_id = v_organization_id
        and s.lead_and_type = w.lead_and_type
        and s.observed_at <= case when compute_scores.counts_future then 'infinity' else w.instant end
      order by s.observed_at desc, s.id desc
      limit 1
    ) as s
  ),
  evidence as (
    select
      m.lead_id,
      r.*,
      s.id as signal_id,
      -- A signal from the future has age 0.
      greatest(extract(epoch from m.instant - s.observed_at), 0) as age,
      case
        when r.field = 'details' then l.details -> r.key
        when r.key is not null then case when jsonb_typeof(s.value) = 'object' then s.value -> r.key end
        when r.signal is not null then s.value
        else to_jsonb(
          case r.field
            when 'name' then l.name
            when 'company' then l.company
            when 'email' then l.email
            when 'source' then l.source
            when 'industry' then l.industry
            when 'company_size' then l.company_size
            when 'pain_points' then l.pain_points
            when 'timeline' then l.timeline
            when 'budget_range' then l.budget_range
            when 'phone' then l.phone
            when 'reference' then l.reference
          end
        )
      end as value
    from moment as m
    join app.lead as l on l.organization_id = v_organization_id and l.id = m.lead_id
    cross join rule as r
    left join latest as s on s.lead_id = m.lead_id and s.type = r.signal
  ),
  counted as (
    select
      e.lead_id, e.position, e.name, e.label, e."group", e.cap, e.signal_id,
      round(
        case
          when e.half_life_hours is null then e.weight
          -- A weight of at most 1 rounds to 0.00 after 8 half-lives.
          when e.age >= 8 * 3600 * e.half_life_hours then 0
          -- With 40 digits: with the usual 16, rounding errors could change the second decimal.
          else e.weight * power(round(0.5, 40), round(e.age, 40) / (3600 * e.half_life_hours))
        end,
        2
      ) as contribution
    from evidence as e
    where
      -- false and null never match, whatever the operand
      case
        when e.value is null or e.value in ('false', 'null') then e.operator = 'absent'
        else
          case e.operator
            when 'present' then true
            when 'equals' then e.value = e.operand
            when 'differs' then e.value <> e.operand
            when 'one_of' then jsonb_typeof(e.value) in ('number', 'string') and e.operand @> e.value
            when 'at_least' then jsonb_typeof(e.value) = 'number' and e.value >= e.operand
            when 'at_most' then jsonb_typeof(e.value) = 'number' and e.value <= e.operand
            else false
          end
      end
  ),
  -- The positive contributions of a group count in the order of the sentence, up to the cap.
  capped as (
    select
      j.lead_id, j.position, j.name, j.label, j.signal_id,
      case
        when j.cap is null or j.contribution < 0 then j.contribution
        else round(least(j.contribution, greatest(j.cap - coalesce(j.before, 0), 0)), 2)
      end as contribution
    from (
      select
        j.*,
        sum(j.contribution) over (
          partition by j.lead_id, j."group"
          order by j.contribution desc, j.position
          rows between unbounded preceding and 1 preceding
        ) as before
      from counted as j
    ) as j
  ),
  summed as (
    select
      c.lead_id,
      sum(c.contribution) as total,
      string_agg(
        format('%s (%s%s)', c.label, case when c.contribution > 0 then '+' end, c.contribution), '; '
        order by c.contribution desc, c.position
      ) as sentence,
      json_agg(
        json_build_object(
          'rule', c.name, 'label', c.label, 'contribution', c.contribution, 'signal_id', c.signal_id
        )
        order by c.contribution desc, c.position
      ) as contributions
    from capped as c
    where c.contribution <> 0
    group by c.lead_id
  )
  select
    l.id,
    round(100 * least(greatest(v_base + coalesce(s.total, 0), 0), 1))::integer,
    coalesce(
      s.sentence,
      format('No rule of the scoring model counts: this is its base, %s.', round(v_base, 2))
    ),
    coalesce(s.contributions, '[]')
  from moment as m
  join app.lead as l on l.organization_id = v_organization_id and l.id = m.lead_id
  left join summed as s on s.lead_id = m.lead_id;
end $$;

ALTER FUNCTION scoring.compute_scores(organization_id uuid, lead_ids uuid[], instants timestamp with time zone[], model jsonb, counts_future boolean) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.compute_scores(organization_id uuid, lead_ids uuid[], instants timestamp with time zone[], model jsonb, counts_future boolean) IS 'Scores leads with a model, each as of its own time; one row for each existing lead, in no order.

lead_ids: distinct ids. instants: the time for each id, to which ages are computed. model: a model without faults
(scoring.model_faults). counts_future: whether signals after the time count, with age 0.
lead_score = round half up (100 × clamp(base + Σ contributions, 0, 1)). Of each type the latest signal (observed_at, then
id) counts; a contribution is weight × 0.5^(age / half-life), rounded half away from zero to two decimals before it is
summed; a contribution of 0.00 is left out. The sentence has exactly the summed contributions. The same signals, model
and times give the same bytes.';

CREATE FUNCTION scoring.is_decimal(value jsonb, low numeric, high numeric) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return
    jsonb_typeof(value) = 'number'
    and value::numeric between is_decimal.low and is_decimal.high
    and value::numeric = round(value::numeric, 2);
end $$;

ALTER FUNCTION scoring.is_decimal(value jsonb, low numeric, high numeric) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.is_decimal(value jsonb, low numeric, high numeric) IS 'Whether the value is a number from low to high with at most two decimals. Null for null.';

CREATE FUNCTION scoring.is_model(document jsonb) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return scoring.model_faults(document) is null;
end $$;

ALTER FUNCTION scoring.is_model(document jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.is_model(document jsonb) IS 'Whether the document is a scoring model without a fault.';

CREATE FUNCTION scoring.is_signal_value(value jsonb) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- A query takes ten times as long as an expression. It is needed for an object only.
  if jsonb_typeof(is_signal_value.value) = 'object' then
    return (
      select count(*) <= 32 and coalesce(bool_and(scoring.is_signal_member(m.key, m.value)), true)
      from jsonb_each(is_signal_value.value) as m (key, value)
    );
  end if;
  return scoring.is_signal_member('value', is_signal_value.value);
end $$;

ALTER FUNCTION scoring.is_signal_value(value jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.is_signal_value(value jsonb) IS 'Whether the value is true, false, null, a number of up to 40 digits, a text of up to 1,000 characters, or an object of up to 32 of these under names of 1 to 64 characters.';

CREATE FUNCTION scoring.model_faults(document jsonb) RETURNS json
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if jsonb_typeof(document) is distinct from 'object' then
    return json_build_array(json_build_object('field', '', 'code', 'wrong_type', 'detail', 'A model is an object.'));
  end if;
  return (
    with rule as (
      select 'rules[' || r.ordinality - 1 || ']' as path, r.ordinality as position, r.rule
      from jsonb_array_elements(
        case jsonb_typeof(document -> 'rules') when 'array' then document -> 'rules' else '[]' end
      ) with ordinality as r (rule, ordinality)
    ),
    -- A rule that is not an object has only this one fault.
    object_rule as (
      select
        r.path, r.position, r.rule,
        coalesce(r.rule ->> 'operator', 'present') as operator,
        r.rule ? 'signal' as is_of_signal,
        coalesce(r.rule -> 'field', 'null') = '"details"' as is_of_details
      from rule as r
      where jsonb_typeof(r.rule) = 'object'
    ),
    "group" as (
      select g.name, g.content
      from jsonb_each(
        case jsonb_typeof(document -> 'groups') when 'object' then document -> 'groups' else '{}' end
      ) as g (name, content)
    ),
    fault (position, field, code, detail) as (
      select 0, k.key, 'unknown_key', 'A model has base, rescore_on_signal, groups and rules.'
      from jsonb_object_keys(document) as k (key)
      where k.key not in ('base', 'rescore_on_signal', 'groups', 'rules')
      union all
      select 0, 'base', 'too_large', 'A model has at most 64 KiB as JSON, and at most 64 groups. Make it smaller.'
      where octet_length(document::text) > 65536 or (select count(*) from "group" as g) > 64
      union all
      select 0, 'base', 'out_of_range', 'This must be a number from 0 to 1 with at most two decimals.'
      where scoring.is_decimal(document -> 'base', 0, 1) is not true
      union all
      select 0, 'rescore_on_signal', 'wrong_type', 'This must be true or false.'
      where jsonb_typeof(document -> 'rescore_on_signal') <> 'boolean'
      union all
      select 0, 'groups', 'wrong_type', 'This must be a table that has a table for each group.'
      where jsonb_typeof(document -> 'groups') <> 'object'
      union all
      select 0, 'groups.' || g.name, 'invalid_name', 'A group''s name has 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from "group" as g
      where not app.is_name(g.name)
      union all
      select
        0, 'groups.' || g.name || '.cap', 'out_of_range',
        'A group has a cap, a number from 0.01 to 1 with at most two decimals, and nothing else.'
      from "group" as g
      where
        scoring.is_decimal(g.content -> 'cap', 0.01, 1) is not true
        or g.content - 'cap' <> '{}'
      union all
      select 0, 'rules', 'wrong_type', 'This must be a list of rules; it may be empty.'
      where jsonb_typeof(document -> 'rules') is distinct from 'array'
      union all
      select 65, 'rules[64]', 'too_many', 'A model has at most 64 rules.'
      where jsonb_typeof(document -> 'rules') = 'array' and jsonb_array_length(document -> 'rules') > 64
      union all
      select r.position, r.path, 'wrong_type', 'A rule must be a table.'
      from rule as r
      where jsonb_typeof(r.rule) <> 'object'
      union all
      select
        r.position, r.path || '.' || k.key, 'unknown_key',
        'A rule has name, signal or field, key, operator, value, label, weight, half_life_hours and group.'
      from object_rule as r
      cross join jsonb_object_keys(r.rule) as k (key)
      where
        k.key not in (
          'name', 'signal', 'field', 'key', 'operator', 'value', 'label', 'weight', 'half_life_hours', 'group'
        )
      union all
      select
        r.position, r.path || '.name', 'invalid_name',
        'A rule has a name of 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from object_rule as r
      where (jsonb_typeof(r.rule -> 'name') = 'string' and app.is_name(r.rule ->> 'name')) is not true
      union all
      select r.position, r.path || '.name', 'duplicate_name', format('Another rule has the name "%s".', r.rule ->> 'name')
      from object_rule as r
      where exists (select from object_rule as o where o.rule -> 'name' = r.rule -> 'name' and o.position < r.position)
      union all
      select r.position, r.path || '.signal', 'signal_or_field', 'A rule must have either signal or field.'
      from object_rule as r
      where r.is_of_signal = (r.rule ? 'field')
      union all
      select
        r.position, r.path || '.signal', 'invalid_name',
        'A signal''s type has 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from object_rule as r
      where r.is_of_signal and (jsonb_typeof(r.rule -> 'signal') = 'string' and app.is_name(r.rule ->> 'signal')) is not true
      union all
      select
        r.position, r.path || '.field', 'unknown_field',
        'The fields are name, company, email, phone, reference, source, industry, company_size, pain_points, timeline, '
        'budget_range and details.'
      from object_rule as r
      where
        r.rule ? 'field'
        and r.rule -> 'field' not in (
          '"name"', '"company"', '"email"', '"source"', '"industry"', '"company_size"', '"pain_points"', '"timeline"',
          '"budget_range"', '"phone"', '"reference"', '"details"'
        )
      union all
      select r.position, r.path || '.key', 'not_allowed', 
        'key requires a signal or the field details. It must be the name of a member of the value, of 1 to 64 characters.'
      from object_rule as r
      where
        r.rule ? 'key'
        and (
          (r.is_of_signal or r.is_of_details)
          and jsonb_typeof(r.rule -> 'key') = 'string'
          and char_length(r.rule ->> 'key') between 1 and 64
        ) is not true
      union all
      select r.position, r.path || '.key', 'required', 'The field details requires key, the name of a detail.'
      from object_rule as r
      where r.is_of_details and not r.rule ? 'key'
      union all
      select
        r.position, r.path || '.operator', 'unknown_operator',
        'The operators are present, absent, equals, differs, one_of, at_least and at_most.'
      from object_rule as r
      where
        r.rule ? 'operator'
        and r.rule -> 'operator' not in (
          '"present"', '"absent"', '"equals"', '"differs"', '"one_of"', '"at_least"', '"at_most"'
        )
      union all
      select r.position, r.path || '.operator', 'not_allowed', 
        'at_least and at_most compare numbers, and this field is a text. Use another operator.'
      from object_rule as r
      where r.operator in ('at_least', 'at_most') and not r.is_of_signal and not r.is_of_details
      union all
      select
        r.position, r.path || '.value', 'invalid_value',
        case
          when r.operator in ('present', 'absent') then 'The operators present and absent have no value. Leave it out.'
          when r.operator in ('at_least', 'at_most') then 'This must be a number of up to 40 digits.'
          when r.operator = 'one_of' then 'This must be a list of 1 to 50 texts and numbers.'
          else 'This must be true, a number or a text. (For false, use the operator absent.)'
        end
      from object_rule as r
      where
        case
          when r.operator in ('present', 'absent') then r.rule ? 'value'
          when r.operator in ('at_least', 'at_most') then
            (jsonb_typeof(r.rule -> 'value') = 'number' and scoring.is_signal_value(r.rule -> 'value')) is not true
          when r.operator in ('equals', 'differs') then
            (
              (jsonb_typeof(r.rule -> 'value') in ('number', 'string') or r.rule -> 'value' = 'true')
              and scoring.is_signal_value(r.rule -> 'value')
            ) is not true
          when r.operator = 'one_of' then
            case
              when jsonb_typeof(r.rule -> 'value') = 'array' then
                jsonb_array_length(r.rule -> 'value') not between 1 and 50
                or exists (
                  select
                  from jsonb_array_elements(r.rule -> 'value') as v (value)
                  where jsonb_typeof(v.value) not in ('number', 'string') or not scoring.is_signal_value(v.value)
                )
              else true
            end
          else false
        end
      union all
      select
        r.position, r.path || '.label', 'invalid_label',
        'A rule has a label: one line of 1 to 128 characters, without white space at its ends.'
      from object_rule as r
      where
        (
          jsonb_typeof(r.rule -> 'label') = 'string'
          and app.is_text(r.rule ->> 'label', 128)
          -- No control characters, line separators, or characters that change the direction of the text.
          and r.rule ->> 'label' collate "C" !~ U&'[\0001-\001F\007F-\009F\2028-\202E\2066-\2069]'
        ) is not true
      union all
      select
        r.position, r.path || '.weight', 'out_of_range',
        'A rule has a weight: a number from -1 to 1, except 0, with at most two decimals.'
      from object_rule as r
      where (scoring.is_decimal(r.rule -> 'weight', -1, 1) and (r.rule ->> 'weight')::numeric <> 0) is not true
      union all
      select
        r.position, r.path || '.half_life_hours', 'out_of_range',
        'This must be a number of hours from 0.01 to 87600 with at most two decimals.'
      from object_rule as r
      where r.rule ? 'half_life_hours' and not scoring.is_decimal(r.rule -> 'half_life_hours', 0.01, 87600)
      union all
      select
        r.position, r.path || '.half_life_hours', 'not_allowed',
        'Only a signal that exists has an age. Leave this out for a field, and with the operator absent.'
      from object_rule as r
      where r.rule ? 'half_life_hours' and (not r.is_of_signal or r.operator = 'absent')
      union all
      select r.position, r.path || '.group', 'unknown_group', 'This group does not exist. Add it to groups, with its cap.'
      from object_rule as r
      where
        r.rule ? 'group'
        and not exists (select from "group" as g where to_jsonb(g.name) = r.rule -> 'group')
    )
    select json_agg(
      json_build_object('field', left(f.field, 200), 'code', f.code, 'detail', f.detail)
      order by f.position, f.field, f.code
    )
    from fault as f
  );
end $$;

ALTER FUNCTION scoring.model_faults(document jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.model_faults(document jsonb) IS 'All faults of a scoring model as a JSON array of {field, code, detail}; null if there is no fault.

A model is an object: base (0 to 1, two decimals), rescore_on_signal (boolean, default false), groups (each
{"cap": …}), rules (up to 64). The field of a rule has the form rules[0].weight.';

CREATE TABLE scoring.default_model (
    version integer NOT NULL,
    document jsonb NOT NULL,
    CONSTRAINT default_model_document_is_model CHECK (scoring.is_model(document)),
    CONSTRAINT default_model_version_is_positive CHECK ((version > 0))
);

ALTER TABLE scoring.default_model OWNER TO leads_owner;

COMMENT ON TABLE scoring.default_model IS 'The models of organizations without a model of their own. The highest version counts. A version never changes.';

CREATE TABLE scoring.model (
    organization_id uuid NOT NULL,
    version integer NOT NULL,
    state text DEFAULT 'draft'::text NOT NULL,
    document jsonb NOT NULL,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    activated_at timestamp(3) with time zone,
    CONSTRAINT model_document_is_model CHECK (scoring.is_model(document)),
    CONSTRAINT model_is_a_draft_until_it_is_activated CHECK (((state = 'draft'::text) = (activated_at IS NULL))),
    CONSTRAINT model_state_is_draft_active_or_retired CHECK ((state = ANY (ARRAY['draft'::text, 'active'::text, 'retired'::text]))),
    CONSTRAINT model_version_is_positive CHECK ((version > 0))
);
ALTER TABLE ONLY scoring.model ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY scoring.model ALTER COLUMN version SET STATISTICS 0;
ALTER TABLE ONLY scoring.model ALTER COLUMN state SET STATISTICS 0;
ALTER TABLE ONLY scoring.model ALTER COLUMN document SET STATISTICS 0;
ALTER TABLE ONLY scoring.model ALTER COLUMN created_at SET STATISTICS 0;
ALTER TABLE ONLY scoring.model ALTER COLUMN activated_at SET STATISTICS 0;

ALTER TABLE ONLY scoring.model FORCE ROW LEVEL SECURITY;

ALTER TABLE scoring.model OWNER TO leads_owner;

COMMENT ON TABLE scoring.model IS 'The scoring models of an organization. At most one version is active, and at most one is a draft.';

COMMENT ON COLUMN scoring.model.version IS 'Counts from 1.';

COMMENT ON COLUMN scoring.model.state IS 'draft: it may be changed. active: it scores leads. retired: it was active, and can be activated again.';

COMMENT ON COLUMN scoring.model.document IS 'The model: base, rescore_on_signal, groups, rules.';

COMMENT ON COLUMN scoring.model.activated_at IS 'When the version was last activated.';

CREATE FUNCTION scoring.model_in_force(organization_id uuid, OUT model text, OUT model_version integer, OUT document jsonb) RETURNS record
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 WITH candidate AS (
          SELECT 'own'::text AS model,
             m.version,
             m.document,
             1 AS rank
            FROM scoring.model m
           WHERE ((m.organization_id = model_in_force.organization_id) AND (m.state = 'active'::text))
         UNION ALL
          SELECT 'default'::text,
             d.version,
             d.document,
             2
            FROM scoring.default_model d
         )
  SELECT c.model,
     c.version,
     c.document
    FROM candidate c
   ORDER BY c.rank, c.version DESC
  LIMIT 1;
END;

ALTER FUNCTION scoring.model_in_force(organization_id uuid, OUT model text, OUT model_version integer, OUT document jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.model_in_force(organization_id uuid, OUT model text, OUT model_version integer, OUT document jsonb) IS 'The organization''s active model, or else the newest default model. model: own or default.';

CREATE FUNCTION scoring.score_lead(organization_id uuid, lead_id uuid) RETURNS api.new_score
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_instant timestamptz;
  v_model record;
  v_score api.new_score;
begin
  -- A concurrent request for the lead waits here. Then it sees every signal that the first one saw.
  perform
  from app.lead as l
  where l.organization_id = score_lead.organization_id and l.id = score_lead.lead_id
  for no key update;
  if not found then
    return null;
  end if;
  -- clock_timestamp(), so that the first request also comes first in the history.
  v_instant := date_trunc('milliseconds', clock_timestamp());

  select m.* into v_model from scoring.model_in_force(score_lead.organization_id) as m;
  insert into scoring.score as s (
    organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions, created_at
  )
  select
    score_lead.organization_id, r.lead_id, 'scored', r.lead_score, r.ai_reasoning, v_model.model, v_model.model_version,
    (v_model.document ->> 'base')::numeric, r.contributions, v_instant
  from scoring.compute_scores(
    score_lead.organization_id, array[score_lead.lead_id], array[v_instant], v_model.document, true
  ) as r
  returning s.lead_id, s.lead_score, s.ai_reasoning, app.utc_text(s.created_at) into v_score;
  return v_score;
end $$;

ALTER FUNCTION scoring.score_lead(organization_id uuid, lead_id uuid) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.score_lead(organization_id uuid, lead_id uuid) IS 'Scores a lead as of now with the model in force, and adds the score to the history. A trigger writes it to the lead.

Null: the organization has no such lead.';

CREATE FUNCTION scoring.value_fault(value jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_json text;
  v_control text;
begin
  -- One regular expression for all texts and names: a body can have 12,000. In the output of jsonb,
  -- these begin with the first quotation mark, or with one after { or a space. A quotation mark in a
  -- text has a backslash before it, and the one that ends a text has no other soon after it.
  v_json := value_fault.value::text;
  if v_json collate "C" ~ ('(^|[{ ])"([' || app.invisible() || ']|\\[tnr])*"') then
    return 'A text or name is blank. Send null, or leave it out.';
  end if;
  -- U+007F to U+009F are written as they are. The others are an escape, which begins with the last of
  -- an odd number of backslashes.
  v_control := substring(v_json collate "C" from '[^\\](?:\\\\)*(\\[bf]|\\u[0-9a-f]{4}|[\u007F-\u009F])');
  if v_control is not null then
    v_control := ('"' || v_control || '"')::jsonb #>> '{}';
    return format('The text has the control character %s. Remove it.', app.code_point(v_control));
  end if;
  return null;
end $$;

ALTER FUNCTION scoring.value_fault(value jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.value_fault(value jsonb) IS 'What is wrong with the texts in a value that scoring.is_signal_value accepts, as an English sentence: a text or name is blank or has a control character. Null: nothing, also for null.';

CREATE FUNCTION scoring.signal_faults(fields jsonb) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 WITH list AS (
          SELECT
                 CASE jsonb_typeof((signal_faults.fields -> 'signals'::text))
                     WHEN 'array'::text THEN (signal_faults.fields -> 'signals'::text)
                     ELSE NULL::jsonb
                 END AS signals
         ), item AS (
          SELECT ''::text AS path,
             (0)::bigint AS "position",
             signal_faults.fields AS signal
           WHERE (NOT (signal_faults.fields ? 'signals'::text))
         UNION ALL
          SELECT (('signals['::text || (s.ordinality - 1)) || '].'::text),
             s.ordinality,
             s.signal
            FROM (list l
              CROSS JOIN LATERAL jsonb_array_elements(
                 CASE
                     WHEN ((jsonb_array_length(l.signals) >= 1) AND (jsonb_array_length(l.signals) <= 200)) THEN l.signals
                     ELSE NULL::jsonb
                 END) WITH ORDINALITY s(signal, ordinality))
         ), object AS (
          SELECT g.path,
             g."position",
             g.signal
            FROM item g
           WHERE (jsonb_typeof(g.signal) = 'object'::text)
         ), wrong_value AS (
          SELECT w."position"
            FROM (object w
              CROSS JOIN LATERAL jsonb_each(
                 CASE jsonb_typeof((w.signal -> 'value'::text))
                     WHEN 'object'::text THEN (w.signal -> 'value'::text)
                     ELSE NULL::jsonb
                 END) m(key, value))
           GROUP BY w."position"
          HAVING ((count(*) > 32) OR (NOT bool_and(scoring.is_signal_member(m.key, m.value))))
         UNION ALL
          SELECT w."position"
            FROM object w
           WHERE ((jsonb_typeof((w.signal -> 'value'::text)) <> 'object'::text) AND (NOT scoring.is_signal_value((w.signal -> 'value'::text))))
         ), fault("position", field, code, detail) AS (
          SELECT 0 AS "?column?",
             k.key,
             'unknown_field'::text AS "?column?",
             'signals must be the only field. Leave this field out.'::text AS "?column?"
            FROM jsonb_object_keys(signal_faults.fields) k(key)
           WHERE ((signal_faults.fields ? 'signals'::text) AND (k.key <> 'signals'::text))
         UNION ALL
          SELECT 0,
             'signals'::text,
             'wrong_type'::text,
             'This must be a list of 1 to 200 signals.'::text
            FROM list l
           WHERE ((signal_faults.fields ? 'signals'::text) AND (((jsonb_array_length(l.signals) >= 1) AND (jsonb_array_length(l.signals) <= 200)) IS NOT TRUE))
         UNION ALL
          SELECT g."position",
             rtrim(g.path, '.'::text) AS rtrim,
             'wrong_type'::text,
             'A signal is an object.'::text
            FROM item g
           WHERE (jsonb_typeof(g.signal) <> 'object'::text)
         UNION ALL
          SELECT w."position",
             (w.path || k.key),
             'unknown_field'::text,
             'A signal has type, value, observed_at and dedupe_key.'::text
            FROM (object w
              CROSS JOIN LATERAL jsonb_object_keys((w.signal - '{type,value,observed_at,dedupe_key}'::text[])) k(key))
         UNION ALL
          SELECT w."position",
             (w.path || 'type'::text),
                 CASE
                     WHEN (NOT (w.signal ? 'type'::text)) THEN 'required'::text
                     WHEN (jsonb_typeof((w.signal -> 'type'::text)) <> 'string'::text) THEN 'wrong_type'::text
                     ELSE 'invalid_name'::text
                 END AS "case",
             ('This must be 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'::text ||
                 CASE jsonb_typeof((w.signal -> 'type'::text))
                     WHEN 'string'::text THEN app.character_note((w.signal ->> 'type'::text))
                     ELSE ''::text
                 END)
            FROM object w
           WHERE (((jsonb_typeof((w.signal -> 'type'::text)) = 'string'::text) AND app.is_name((w.signal ->> 'type'::text))) IS NOT TRUE)
         UNION ALL
          SELECT w."position",
             (w.path || 'value'::text),
             'invalid_value'::text,
             'This must be true, false, null, a number of up to 40 digits, a text of up to 1,000 characters, or an object of up to 32 of these.'::text
            FROM object w
           WHERE (w."position" IN ( SELECT v."position"
                    FROM wrong_value v))
         UNION ALL
         ( SELECT w."position",
             (w.path || 'value'::text),
             'invalid_value'::text,
             v.fault
            FROM (( SELECT o.path,
                     o."position",
                     o.signal
                    FROM object o
                   WHERE (NOT (o."position" IN ( SELECT v_1."position"
                            FROM wrong_value v_1)))
                   ORDER BY o."position") w
              CROSS JOIN LATERAL ( SELECT scoring.value_fault((w.signal -> 'value'::text)) AS fault
                  OFFSET 0) v)
           WHERE (v.fault IS NOT NULL)
          LIMIT 100)
         UNION ALL
          SELECT w."position",
             (w.path || 'observed_at'::text),
             'invalid_timestamp'::text,
             'This must be a date such as 2026-04-27 (midnight UTC), or a date and time with Z or an offset such as 2026-04-27T13:22:05Z.'::text
            FROM object w
           WHERE ((jsonb_typeof((w.signal -> 'observed_at'::text)) <> 'null'::text) AND ((jsonb_typeof((w.signal -> 'observed_at'::text)) <> 'string'::text) OR (app.read_instant((w.signal ->> 'observed_at'::text)) IS NULL)))
         UNION ALL
          SELECT w."position",
             (w.path || 'dedupe_key'::text),
             'invalid_dedupe_key'::text,
             ('This must be a text of 1 to 255 characters.'::text ||
                 CASE jsonb_typeof((w.signal -> 'dedupe_key'::text))
                     WHEN 'string'::text THEN COALESCE(((' The text has the control character '::text || app.code_point(app.control_character(app.clean_text((w.signal ->> 'dedupe_key'::text))))) || '.'::text), ''::text)
                     ELSE ''::text
                 END)
            FROM object w
           WHERE ((jsonb_typeof((w.signal -> 'dedupe_key'::text)) <> 'null'::text) AND ((jsonb_typeof((w.signal -> 'dedupe_key'::text)) <> 'string'::text) OR (NOT app.is_text(app.clean_text((w.signal ->> 'dedupe_key'::text)), 255)) OR (app.control_character(app.clean_text((w.signal ->> 'dedupe_key'::text))) IS NOT NULL)))
         )
  SELECT json_agg(json_build_object('field', "left"(f.field, 100), 'code', f.code, 'detail', f.detail) ORDER BY f."position", f.field, f.code) AS json_agg
    FROM ( SELECT f_1."position",
             f_1.field,
             f_1.code,
             f_1.detail
            FROM fault f_1
           ORDER BY f_1."position", f_1.field, f_1.code
          LIMIT 100) f;
END;

ALTER FUNCTION scoring.signal_faults(fields jsonb) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.signal_faults(fields jsonb) IS 'The first 100 faults of a signal, or of {"signals": […]}, as a JSON array of {field, code, detail}; null if there is no
fault.

Codes: required, unknown_field, wrong_type, invalid_name, invalid_value, invalid_timestamp, invalid_dedupe_key. Fields of
a list read signals[0].type. The CHECKs of scoring.signal refuse the same values from any writer, except blank texts, and
invisible and control characters.';

CREATE FUNCTION scoring.signal_item(id uuid, organization_id uuid, lead_id uuid, type text, value jsonb, observed_at timestamp with time zone, dedupe_key text, created_at timestamp with time zone) RETURNS api.signal
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT ROW(id, organization_id, lead_id, type, (value)::json, (app.utc_text(observed_at))::api.utc_time, dedupe_key, (app.utc_text(created_at))::api.utc_time)::api.signal AS "row";
END;

ALTER FUNCTION scoring.signal_item(id uuid, organization_id uuid, lead_id uuid, type text, value jsonb, observed_at timestamp with time zone, dedupe_key text, created_at timestamp with time zone) OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.signal_item(id uuid, organization_id uuid, lead_id uuid, type text, value jsonb, observed_at timestamp with time zone, dedupe_key text, created_at timestamp with time zone) IS 'The eight fields of a signal, in the order of the body.';

CREATE FUNCTION scoring.tg_lead__check_score() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if not exists (
    select
    from scoring.score as s
    where
      s.organization_id = new.organization_id
      and s.id = new.score_id
      and s.lead_id = new.id
      and s.kind = 'scored'
      and (s.lead_score, s.ai_reasoning) is not distinct from (new.lead_score, new.ai_reasoning)
  ) then
    raise sqlstate 'PT409' using
      message = 'refused',
      hint = 'score_id must name a score of this lead with the same lead_score and ai_reasoning. Insert a row into '
        'scoring.score instead: this sets score_id.';
  end if;
  return new;
end $$;

ALTER FUNCTION scoring.tg_lead__check_score() OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.tg_lead__check_score() IS 'Raises PT409 refused unless score_id is a row of the lead''s history that a model made, with the same score and reasons.';

CREATE FUNCTION scoring.tg_lead__keep_score() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into scoring.score (organization_id, lead_id, kind, lead_score, ai_reasoning, created_at)
  values (
    new.organization_id, new.id, 'set', new.lead_score, new.ai_reasoning,
    -- clock_timestamp(), as for a model's score. A lead can be loaded with its own times.
    least(
      case tg_op when 'INSERT' then new.updated_at end, date_trunc('milliseconds', clock_timestamp())
    )
  );
  return null;
end $$;

ALTER FUNCTION scoring.tg_lead__keep_score() OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.tg_lead__keep_score() IS 'Adds a score that was written to the lead, with its reasons, to the history, as a row of kind "set".';

CREATE FUNCTION scoring.tg_score__apply() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update app.lead as l
  set lead_score = new.lead_score, ai_reasoning = new.ai_reasoning, score_id = new.id
  where l.organization_id = new.organization_id and l.id = new.lead_id;
  return null;
end $$;

ALTER FUNCTION scoring.tg_score__apply() OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.tg_score__apply() IS 'Writes lead_score, ai_reasoning and score_id to the lead.';

CREATE FUNCTION scoring.tg_score__check() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if new.created_at > clock_timestamp() then
    raise sqlstate 'PT409' using message = 'refused', hint = 'created_at of a score can''t be in the future.';
  end if;
  if new.kind = 'set' and not exists (
    select
    from app.lead as l
    where
      l.organization_id = new.organization_id
      and l.id = new.lead_id
      and (l.lead_score, l.ai_reasoning) is not distinct from (new.lead_score, new.ai_reasoning)
  ) then
    raise sqlstate 'PT409' using
      message = 'refused',
      hint = 'The lead has another score. Change lead_score of the lead instead: this adds a row to the history.';
  end if;
  return new;
end $$;

ALTER FUNCTION scoring.tg_score__check() OWNER TO leads_owner;

COMMENT ON FUNCTION scoring.tg_score__check() IS 'Raises PT409 refused if created_at is in the future, or if kind is "set" and the lead has another score.';

CREATE TABLE app.lead_word (
    organization_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    word text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp(3) with time zone NOT NULL
);
ALTER TABLE ONLY app.lead_word ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY app.lead_word ALTER COLUMN lead_id SET STATISTICS 0;
ALTER TABLE ONLY app.lead_word ALTER COLUMN word SET STATISTICS 0;
ALTER TABLE ONLY app.lead_word ALTER COLUMN created_at SET STATISTICS 0;

ALTER TABLE ONLY app.lead_word FORCE ROW LEVEL SECURITY;

ALTER TABLE app.lead_word OWNER TO leads_owner;

COMMENT ON TABLE app.lead_word IS 'The words of each lead''s name, company and e-mail address (app.lead_words), in lower case. A worker stores them.';

COMMENT ON COLUMN app.lead_word.lead_id IS 'The lead.';

COMMENT ON COLUMN app.lead_word.word IS 'The word. The collation "C" makes a range of a prefix.';

COMMENT ON COLUMN app.lead_word.created_at IS 'When the lead was created.';

CREATE TABLE app.unindexed_lead (
    organization_id uuid NOT NULL,
    lead_id uuid NOT NULL
);
ALTER TABLE ONLY app.unindexed_lead ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY app.unindexed_lead ALTER COLUMN lead_id SET STATISTICS 0;

ALTER TABLE ONLY app.unindexed_lead FORCE ROW LEVEL SECURITY;

ALTER TABLE app.unindexed_lead OWNER TO leads_owner;

COMMENT ON TABLE app.unindexed_lead IS 'The queue of leads whose words in app.lead_word may be missing or old. The sealer puts leads into it, and a worker takes them.';

COMMENT ON COLUMN app.unindexed_lead.lead_id IS 'The lead. It may be gone.';

CREATE VIEW bi.lead_changes WITH (security_invoker='true') AS
 SELECT e.id AS event_id,
    e.organization_id,
    e.lead_id,
    e.created_at AS changed_at,
    e.action,
    d.key AS field,
    (d.value ->> 'from'::text) AS old_value,
    (d.value ->> 'to'::text) AS new_value,
    COALESCE(((d.value ->> 'erased'::text))::boolean, false) AS is_erased,
    e.source AS changed_via,
    ((e.payload ->> 'key_id'::text))::uuid AS key_id,
    (e.payload ->> 'role'::text) AS role,
    e.correlation_id
   FROM (audit.event e
     CROSS JOIN LATERAL json_each((e.payload -> 'diff'::text)) d(key, value))
  WHERE ((e.organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id)) AND (e.action = ANY (ARRAY['lead.created'::text, 'lead.updated'::text, 'lead.scored'::text, 'lead.deleted'::text, 'lead.erased'::text])));

ALTER VIEW bi.lead_changes OWNER TO leads_owner;

COMMENT ON VIEW bi.lead_changes IS 'Every change of a lead, one row for each field that changed, from the audit log. Filter by lead or by period, because the whole log is long. changed_at is printed in the session''s time zone, which is UTC by default.';

COMMENT ON COLUMN bi.lead_changes.event_id IS 'The audit event''s id, a UUID of version 7. The rows of one change have the same.';

COMMENT ON COLUMN bi.lead_changes.organization_id IS 'The organization''s id, the same in every row.';

COMMENT ON COLUMN bi.lead_changes.lead_id IS 'The lead''s id.';

COMMENT ON COLUMN bi.lead_changes.changed_at IS 'timestamptz: when the change was made.';

COMMENT ON COLUMN bi.lead_changes.action IS 'lead.created, lead.updated, lead.scored, lead.deleted or lead.erased.';

COMMENT ON COLUMN bi.lead_changes.field IS 'The field''s name, as in bi.leads.';

COMMENT ON COLUMN bi.lead_changes.old_value IS 'The value before the change, as text, times in UTC; null: none.';

COMMENT ON COLUMN bi.lead_changes.new_value IS 'The value after the change, as text, times in UTC; null: none.';

COMMENT ON COLUMN bi.lead_changes.is_erased IS 'Whether the values were erased since, on a person''s request.';

COMMENT ON COLUMN bi.lead_changes.changed_via IS 'Where the change came from: api, sql, worker or system.';

COMMENT ON COLUMN bi.lead_changes.key_id IS 'The id of the API key that made the change; null: it was not made through the API.';

COMMENT ON COLUMN bi.lead_changes.role IS 'The database login that made the change; null: it was made through the API.';

COMMENT ON COLUMN bi.lead_changes.correlation_id IS 'The X-Request-Id of the request that made the change; null outside requests.';

CREATE VIEW bi.leads WITH (security_invoker='true') AS
 SELECT id,
    organization_id,
    name,
    company,
    email,
    source,
    lead_score,
    pipeline_stage,
    industry,
    company_size,
    pain_points,
    timeline,
    budget_range,
    ai_reasoning,
    created_at,
    updated_at,
    qualification_completed_at,
    phone,
        CASE
            WHEN (phone_key ~~ '+%'::text) THEN phone_key
            ELSE NULL::text
        END AS phone_e164,
    reference,
    details
   FROM app.lead l
  WHERE (organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id));

ALTER VIEW bi.leads OWNER TO leads_owner;

COMMENT ON VIEW bi.leads IS 'The organization''s leads, as they are now. Times are timestamptz in milliseconds. They are printed in the session''s time zone, which is UTC by default.';

COMMENT ON COLUMN bi.leads.id IS 'The lead''s id, a UUID of version 7.';

COMMENT ON COLUMN bi.leads.organization_id IS 'The organization''s id, the same in every row.';

COMMENT ON COLUMN bi.leads.name IS 'The person''s name; up to 255 characters.';

COMMENT ON COLUMN bi.leads.company IS 'The company''s name; up to 255 characters.';

COMMENT ON COLUMN bi.leads.email IS 'The e-mail address, as it was sent; up to 254 characters.';

COMMENT ON COLUMN bi.leads.source IS 'Where the lead came from, as a machine name such as google_ads; null: unknown.';

COMMENT ON COLUMN bi.leads.lead_score IS 'How promising the lead is, a whole number from 0 to 100.';

COMMENT ON COLUMN bi.leads.pipeline_stage IS 'The lead''s stage.';

COMMENT ON COLUMN bi.leads.industry IS 'The lead''s industry, in the words of the source.';

COMMENT ON COLUMN bi.leads.company_size IS 'The company''s size, in the words of the source.';

COMMENT ON COLUMN bi.leads.pain_points IS 'The lead''s problems; up to 10,000 characters.';

COMMENT ON COLUMN bi.leads.timeline IS 'When the lead wants to act, in words.';

COMMENT ON COLUMN bi.leads.budget_range IS 'What the lead wants to spend, in words.';

COMMENT ON COLUMN bi.leads.ai_reasoning IS 'Why the lead has its score, in words.';

COMMENT ON COLUMN bi.leads.created_at IS 'timestamptz: when the lead was created.';

COMMENT ON COLUMN bi.leads.updated_at IS 'timestamptz: when the lead was last changed.';

COMMENT ON COLUMN bi.leads.qualification_completed_at IS 'timestamptz: when the lead first reached the stage "qualified"; null: it has not.';

COMMENT ON COLUMN bi.leads.phone IS 'The phone number, as it was sent; up to 64 characters.';

COMMENT ON COLUMN bi.leads.phone_e164 IS 'The phone number in E.164, such as +15550100199; null: none, or its country is not known.';

COMMENT ON COLUMN bi.leads.reference IS 'The client''s own id of the lead; up to 255 characters.';

COMMENT ON COLUMN bi.leads.details IS 'Other values, by name: an object of texts, numbers and booleans, such as details ->> ''roof_age''; null: none.';

CREATE VIEW bi.pipeline_daily WITH (security_invoker='true') AS
 WITH change AS (
         SELECT e.stage_entered,
            e.stage_left,
            ((e.created_at AT TIME ZONE 'UTC'::text))::date AS day,
            count(*) AS leads
           FROM audit.event e
          WHERE ((e.organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id)) AND ((e.stage_left IS NOT NULL) OR (e.stage_entered IS NOT NULL)))
          GROUP BY e.stage_entered, e.stage_left, (((e.created_at AT TIME ZONE 'UTC'::text))::date)
        ), movement AS (
         SELECT m_1.day,
            m_1.stage,
            sum(m_1.entered) AS entered,
            sum(m_1.departed) AS departed
           FROM ( SELECT c_1.day,
                    c_1.stage_entered AS stage,
                    c_1.leads AS entered,
                    (0)::bigint AS departed
                   FROM change c_1
                  WHERE (c_1.stage_entered IS NOT NULL)
                UNION ALL
                 SELECT c_1.day,
                    c_1.stage_left,
                    (0)::bigint AS int8,
                    c_1.leads
                   FROM change c_1
                  WHERE (c_1.stage_left IS NOT NULL)) m_1
          GROUP BY m_1.day, m_1.stage
        ), cell AS (
         SELECT (d.day)::date AS day,
            s.stage,
            s."position"
           FROM ((( SELECT min(m_1.day) AS first_day
                   FROM movement m_1) f
             CROSS JOIN LATERAL generate_series((f.first_day)::timestamp without time zone, (((now() AT TIME ZONE 'UTC'::text))::date)::timestamp without time zone, '1 day'::interval) d(day))
             CROSS JOIN ( SELECT COALESCE(m_1.stage, p.name) AS stage,
                    p."position"
                   FROM (( SELECT DISTINCT m_2.stage
                           FROM movement m_2) m_1
                     FULL JOIN ( SELECT p_1.name,
                            p_1."position"
                           FROM app.pipeline_stage p_1
                          WHERE (p_1.organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id))) p ON ((p.name = m_1.stage)))) s)
        )
 SELECT c.day,
    c.stage,
    c."position",
    (COALESCE(m.entered, (0)::numeric))::bigint AS entered,
    (COALESCE(m.departed, (0)::numeric))::bigint AS departed,
    (sum((COALESCE(m.entered, (0)::numeric) - COALESCE(m.departed, (0)::numeric))) OVER (PARTITION BY c.stage ORDER BY c.day))::bigint AS lead_count
   FROM (cell c
     LEFT JOIN movement m ON (((m.day = c.day) AND (m.stage = c.stage))));

ALTER VIEW bi.pipeline_daily OWNER TO leads_owner;

COMMENT ON VIEW bi.pipeline_daily IS 'The pipeline by day, from the audit log: one row for each stage and each day since the first change. Days are in UTC, whatever the session''s time zone is.';

COMMENT ON COLUMN bi.pipeline_daily.day IS 'The day, from midnight to midnight UTC. The last day is today, until now.';

COMMENT ON COLUMN bi.pipeline_daily.stage IS 'The stage.';

COMMENT ON COLUMN bi.pipeline_daily."position" IS 'The stage''s place in the pipeline, from 1; null: the stage was removed.';

COMMENT ON COLUMN bi.pipeline_daily.entered IS 'The number of times that a lead entered the stage on that day.';

COMMENT ON COLUMN bi.pipeline_daily.departed IS 'The number of times that a lead left the stage on that day, including deleted and erased leads.';

COMMENT ON COLUMN bi.pipeline_daily.lead_count IS 'The number of leads in the stage at the end of the day.';

CREATE VIEW bi.score_calibration WITH (security_invoker='true') AS
 WITH counted AS (
         SELECT LEAST((l.lead_score / 10), 9) AS band,
            count(*) AS lead_count,
            count(*) FILTER (WHERE (l.pipeline_stage = 'won'::text)) AS won,
            count(*) FILTER (WHERE (l.pipeline_stage = 'lost'::text)) AS lost
           FROM app.lead l
          WHERE (l.organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id))
          GROUP BY LEAST((l.lead_score / 10), 9)
        )
 SELECT (b.band * 10) AS score_from,
        CASE b.band
            WHEN 9 THEN 100
            ELSE ((b.band * 10) + 9)
        END AS score_to,
    COALESCE(c.lead_count, (0)::bigint) AS lead_count,
    COALESCE(c.won, (0)::bigint) AS won,
    COALESCE(c.lost, (0)::bigint) AS lost,
    (round(((c.won)::numeric / (NULLIF((c.won + c.lost), 0))::numeric), 4))::double precision AS win_rate_of_decided
   FROM (generate_series(0, 9) b(band)
     LEFT JOIN counted c ON ((c.band = b.band)));

ALTER VIEW bi.score_calibration OWNER TO leads_owner;

COMMENT ON VIEW bi.score_calibration IS 'Whether higher scores win more: ten score bands with the win rate of each, over all leads as they are now.';

COMMENT ON COLUMN bi.score_calibration.score_from IS 'The lowest score of the band: 0, 10, … 90.';

COMMENT ON COLUMN bi.score_calibration.score_to IS 'The highest score of the band, included: 9, 19, … 89, 100.';

COMMENT ON COLUMN bi.score_calibration.lead_count IS 'The number of leads with such a score.';

COMMENT ON COLUMN bi.score_calibration.won IS 'The number of them in the stage "won".';

COMMENT ON COLUMN bi.score_calibration.lost IS 'The number of them in the stage "lost".';

COMMENT ON COLUMN bi.score_calibration.win_rate_of_decided IS 'won divided by the sum of won and lost, from 0 to 1, to 4 decimals; null: no lead of the band is won or lost.';

CREATE VIEW bi.source_performance WITH (security_invoker='true') AS
 SELECT source,
    count(*) AS lead_count,
    count(qualification_completed_at) AS qualified,
    count(*) FILTER (WHERE (pipeline_stage = 'won'::text)) AS won,
    (round(((count(*) FILTER (WHERE (pipeline_stage = 'won'::text)))::numeric / (count(*))::numeric), 4))::double precision AS win_rate,
    (round(((percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY ((EXTRACT(epoch FROM (qualification_completed_at - created_at)))::double precision)) / (3600)::double precision))::numeric, 2))::double precision AS median_hours_to_qualify
   FROM app.lead l
  WHERE (organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id))
  GROUP BY source;

ALTER VIEW bi.source_performance OWNER TO leads_owner;

COMMENT ON VIEW bi.source_performance IS 'The result of each source, over all of the organization''s leads as they are now: one row for each source, and one for leads without a source.';

COMMENT ON COLUMN bi.source_performance.source IS 'The source; null: leads without a source.';

COMMENT ON COLUMN bi.source_performance.lead_count IS 'The number of leads from the source.';

COMMENT ON COLUMN bi.source_performance.qualified IS 'The number of them that have reached the stage "qualified", whatever happened afterwards.';

COMMENT ON COLUMN bi.source_performance.won IS 'The number of them in the stage "won".';

COMMENT ON COLUMN bi.source_performance.win_rate IS 'won divided by lead_count, from 0 to 1, to 4 decimals.';

COMMENT ON COLUMN bi.source_performance.median_hours_to_qualify IS 'The median of the hours from created_at to qualification_completed_at, to 2 decimals, of the leads that are qualified; null: none is.';

CREATE VIEW bi.stage_history WITH (security_invoker='true') AS
 WITH stay AS (
         SELECT e.organization_id,
            e.lead_id,
            e.stage_entered AS stage,
            e.created_at AS entered_at,
            lead(e.created_at) OVER lead_in_time AS left_at,
            lead(e.stage_entered) OVER lead_in_time AS next_stage
           FROM audit.event e
          WHERE ((e.organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id)) AND ((e.stage_left IS NOT NULL) OR (e.stage_entered IS NOT NULL)))
          WINDOW lead_in_time AS (PARTITION BY e.organization_id, e.lead_id ORDER BY e.created_at, e.id)
        )
 SELECT organization_id,
    lead_id,
    stage,
    entered_at,
    left_at,
    ((EXTRACT(epoch FROM (left_at - entered_at)))::double precision / (3600)::double precision) AS hours,
    next_stage
   FROM stay s
  WHERE (stage IS NOT NULL);

ALTER VIEW bi.stage_history OWNER TO leads_owner;

COMMENT ON VIEW bi.stage_history IS 'Each stay of a lead in a stage, from the audit log, including leads that were deleted or erased. Times are printed in the session''s time zone, which is UTC by default.';

COMMENT ON COLUMN bi.stage_history.organization_id IS 'The organization''s id, the same in every row.';

COMMENT ON COLUMN bi.stage_history.lead_id IS 'The lead''s id.';

COMMENT ON COLUMN bi.stage_history.stage IS 'The stage.';

COMMENT ON COLUMN bi.stage_history.entered_at IS 'timestamptz: when the lead entered the stage. For the first stage of an imported lead, the time of the import.';

COMMENT ON COLUMN bi.stage_history.left_at IS 'timestamptz: when the lead left the stage; null: it is in the stage.';

COMMENT ON COLUMN bi.stage_history.hours IS 'The hours from entered_at to left_at; null: it is in the stage.';

COMMENT ON COLUMN bi.stage_history.next_stage IS 'The next stage; null: the lead is in the stage, or was deleted or erased.';

CREATE TABLE crm.vendor (
    name text NOT NULL,
    title text NOT NULL,
    has_search boolean NOT NULL,
    needs_name boolean NOT NULL,
    settle_seconds integer NOT NULL,
    calls_at_once integer NOT NULL,
    calls integer,
    call_seconds integer,
    CONSTRAINT vendor_limits_calls_by_number_and_time CHECK ((((calls IS NULL) = (call_seconds IS NULL)) AND (calls > 0) AND (call_seconds > 0))),
    CONSTRAINT vendor_name_is_name CHECK (app.is_name(name)),
    CONSTRAINT vendor_settles_within_an_hour CHECK (((settle_seconds >= 0) AND (settle_seconds <= 3600))),
    CONSTRAINT vendor_takes_1_to_64_calls_at_once CHECK (((calls_at_once >= 1) AND (calls_at_once <= 64)))
);

ALTER TABLE crm.vendor OWNER TO leads_owner;

COMMENT ON TABLE crm.vendor IS 'The CRMs that have an adapter. The list is the same for all organizations.';

COMMENT ON COLUMN crm.vendor.title IS 'The vendor''s name for people to read.';

COMMENT ON COLUMN crm.vendor.has_search IS 'Whether a record can be found by its e-mail address. If so, two leads with one address share a record. If not, the vendor drops repeats by the sync''s id.';

COMMENT ON COLUMN crm.vendor.needs_name IS 'Whether the vendor needs a name or a company beside the e-mail address.';

COMMENT ON COLUMN crm.vendor.settle_seconds IS 'Seconds after a call''s deadline within which the vendor finishes the call and its search shows the record. A connection may override it.';

COMMENT ON COLUMN crm.vendor.calls_at_once IS 'The maximum number of concurrent calls that a worker makes for one connection.';

COMMENT ON COLUMN crm.vendor.calls IS 'The maximum number of calls that the vendor accepts within call_seconds; null: not documented.';

CREATE UNLOGGED TABLE intake.client (
    organization_id uuid NOT NULL,
    form_id uuid NOT NULL,
    address inet NOT NULL,
    free_at timestamp(3) with time zone NOT NULL
);
ALTER TABLE ONLY intake.client ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY intake.client ALTER COLUMN form_id SET STATISTICS 0;
ALTER TABLE ONLY intake.client ALTER COLUMN address SET STATISTICS 0;
ALTER TABLE ONLY intake.client ALTER COLUMN free_at SET STATISTICS 0;

ALTER TABLE ONLY intake.client FORCE ROW LEVEL SECURITY;

ALTER TABLE intake.client OWNER TO leads_owner;

COMMENT ON TABLE intake.client IS 'The client addresses that have lately sent to a form, for the rate limit. Not logged: a crash empties it.';

COMMENT ON COLUMN intake.client.address IS 'The IPv4 address, or the IPv6 network of 64 bits.';

COMMENT ON COLUMN intake.client.free_at IS 'When the client will have used up nothing of its limit. Each request adds a minute divided by the requests per minute. A request is refused if it would be more than a minute from now.';

CREATE TABLE intake.submission (
    organization_id uuid NOT NULL,
    id uuid DEFAULT app.new_id() NOT NULL,
    form_id uuid NOT NULL,
    event_digest bytea,
    content_digest bytea,
    outcome text NOT NULL,
    lead_id uuid,
    content jsonb,
    faults jsonb,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    CONSTRAINT submission_content_digest_has_32_bytes CHECK ((octet_length(content_digest) = 32)),
    CONSTRAINT submission_event_digest_has_32_bytes CHECK ((octet_length(event_digest) = 32)),
    CONSTRAINT submission_of_a_lead_names_it CHECK (((lead_id IS NOT NULL) = (outcome = ANY (ARRAY['created'::text, 'skipped'::text, 'filled'::text])))),
    CONSTRAINT submission_outcome_is_known CHECK ((outcome = ANY (ARRAY['received'::text, 'created'::text, 'skipped'::text, 'filled'::text, 'ignored'::text, 'kept'::text]))),
    CONSTRAINT submission_that_is_kept_has_its_content CHECK (((outcome <> 'kept'::text) OR ((content IS NOT NULL) AND (faults IS NOT NULL))))
);
ALTER TABLE ONLY intake.submission ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY intake.submission ALTER COLUMN id SET STATISTICS 0;
ALTER TABLE ONLY intake.submission ALTER COLUMN form_id SET STATISTICS 0;
ALTER TABLE ONLY intake.submission ALTER COLUMN event_digest SET STATISTICS 0;
ALTER TABLE ONLY intake.submission ALTER COLUMN content_digest SET STATISTICS 0;
ALTER TABLE ONLY intake.submission ALTER COLUMN outcome SET STATISTICS 0;
ALTER TABLE ONLY intake.submission ALTER COLUMN lead_id SET STATISTICS 0;
ALTER TABLE ONLY intake.submission ALTER COLUMN content SET STATISTICS 0;
ALTER TABLE ONLY intake.submission ALTER COLUMN faults SET STATISTICS 0;
ALTER TABLE ONLY intake.submission ALTER COLUMN created_at SET STATISTICS 0;

ALTER TABLE ONLY intake.submission FORCE ROW LEVEL SECURITY;

ALTER TABLE intake.submission OWNER TO leads_owner;

COMMENT ON TABLE intake.submission IS 'What forms have received, for 30 days: what could not become a lead, or not whole, with its content and its faults; and that an event of a sender has arrived.';

COMMENT ON COLUMN intake.submission.event_digest IS 'SHA-256 of the sender''s id of the event. A repeat is dropped. Null: the sender gives none.';

COMMENT ON COLUMN intake.submission.content_digest IS 'SHA-256 of the content, even if that is not kept: a repeat has the same.';

COMMENT ON COLUMN intake.submission.outcome IS 'created: it became a lead; skipped, filled: it was a duplicate of the lead; ignored: it is no lead; kept: it could not become a lead; received: it is being read.';

COMMENT ON COLUMN intake.submission.content IS 'What was sent: media_type, and fields (of a form), body (JSON) or text, and query. Null: all of it is in the lead.';

COMMENT ON COLUMN intake.submission.faults IS 'What was wrong: an array of {field, code, detail}. Null: nothing.';

CREATE TABLE scoring.score (
    id uuid DEFAULT app.new_id() NOT NULL,
    organization_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    kind text NOT NULL,
    lead_score integer NOT NULL,
    ai_reasoning text,
    model text,
    model_version integer,
    base numeric(3,2),
    contributions json,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    CONSTRAINT score_kind_is_scored_or_set CHECK ((kind = ANY (ARRAY['scored'::text, 'set'::text]))),
    CONSTRAINT score_lead_score_within_0_and_100 CHECK (((lead_score >= 0) AND (lead_score <= 100))),
    CONSTRAINT score_model_is_own_or_default CHECK ((model = ANY (ARRAY['own'::text, 'default'::text]))),
    CONSTRAINT score_says_how_it_was_scored CHECK ((((kind = 'scored'::text) = (model IS NOT NULL)) AND ((kind = 'scored'::text) = (model_version IS NOT NULL)) AND ((kind = 'scored'::text) = (base IS NOT NULL)) AND ((kind = 'scored'::text) = (contributions IS NOT NULL)) AND ((kind = 'set'::text) OR (ai_reasoning IS NOT NULL)))),
    CONSTRAINT score_times_have_a_year_of_4_digits CHECK (((created_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '10000-01-01 00:00:00+00'::timestamp with time zone)))
);
ALTER TABLE ONLY scoring.score ALTER COLUMN id SET STATISTICS 0;
ALTER TABLE ONLY scoring.score ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY scoring.score ALTER COLUMN lead_id SET STATISTICS 0;
ALTER TABLE ONLY scoring.score ALTER COLUMN kind SET STATISTICS 0;
ALTER TABLE ONLY scoring.score ALTER COLUMN lead_score SET STATISTICS 0;
ALTER TABLE ONLY scoring.score ALTER COLUMN ai_reasoning SET STATISTICS 0;
ALTER TABLE ONLY scoring.score ALTER COLUMN model SET STATISTICS 0;
ALTER TABLE ONLY scoring.score ALTER COLUMN model_version SET STATISTICS 0;
ALTER TABLE ONLY scoring.score ALTER COLUMN base SET STATISTICS 0;
ALTER TABLE ONLY scoring.score ALTER COLUMN contributions SET STATISTICS 0;
ALTER TABLE ONLY scoring.score ALTER COLUMN created_at SET STATISTICS 0;

ALTER TABLE ONLY scoring.score FORCE ROW LEVEL SECURITY;

ALTER TABLE scoring.score OWNER TO leads_owner;

COMMENT ON TABLE scoring.score IS 'The history of each lead''s score and reasons. Inserting a row of kind "scored" changes the lead.';

COMMENT ON COLUMN scoring.score.kind IS 'scored: a model computed it. set: a client wrote it to the lead.';

COMMENT ON COLUMN scoring.score.model IS 'Which model computed it: the organization''s own, or the default.';

COMMENT ON COLUMN scoring.score.base IS 'The number that the contributions were added to, from 0 to 1.';

COMMENT ON COLUMN scoring.score.contributions IS 'The summands, in the order of the sentence: [{"rule", "label", "contribution", "signal_id"}].';

COMMENT ON COLUMN scoring.score.created_at IS 'When it was computed or set. The ages of signals are computed to this time.';

CREATE TABLE scoring.signal (
    id uuid DEFAULT app.new_id() NOT NULL,
    organization_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    type text NOT NULL,
    value jsonb DEFAULT 'true'::jsonb NOT NULL,
    observed_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    dedupe_key text,
    created_at timestamp(3) with time zone DEFAULT date_trunc('milliseconds'::text, now()) NOT NULL,
    lead_and_type text GENERATED ALWAYS AS ((((lead_id)::text || '/'::text) || type)) STORED COLLATE pg_catalog."C",
    CONSTRAINT signal_dedupe_key_is_text_of_1_to_255 CHECK (app.is_text(dedupe_key, 255)),
    CONSTRAINT signal_times_have_a_year_of_4_digits CHECK (((observed_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (observed_at < '10000-01-01 00:00:00+00'::timestamp with time zone) AND (created_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '10000-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT signal_type_is_name CHECK (app.is_name(type)),
    CONSTRAINT signal_value_is_flat CHECK (scoring.is_signal_value(value))
);
ALTER TABLE ONLY scoring.signal ALTER COLUMN id SET STATISTICS 0;
ALTER TABLE ONLY scoring.signal ALTER COLUMN organization_id SET STATISTICS 0;
ALTER TABLE ONLY scoring.signal ALTER COLUMN lead_id SET STATISTICS 0;
ALTER TABLE ONLY scoring.signal ALTER COLUMN type SET STATISTICS 0;
ALTER TABLE ONLY scoring.signal ALTER COLUMN value SET STATISTICS 0;
ALTER TABLE ONLY scoring.signal ALTER COLUMN observed_at SET STATISTICS 0;
ALTER TABLE ONLY scoring.signal ALTER COLUMN dedupe_key SET STATISTICS 0;
ALTER TABLE ONLY scoring.signal ALTER COLUMN created_at SET STATISTICS 0;
ALTER TABLE ONLY scoring.signal ALTER COLUMN lead_and_type SET STATISTICS 0;

ALTER TABLE ONLY scoring.signal FORCE ROW LEVEL SECURITY;

ALTER TABLE scoring.signal OWNER TO leads_owner;

COMMENT ON TABLE scoring.signal IS 'Observations of a lead. Of each type the latest signal counts.';

COMMENT ON COLUMN scoring.signal.type IS 'What was observed, as a machine name such as storm_event.';

COMMENT ON COLUMN scoring.signal.value IS 'true, false, null, a number, a text, or a flat object of these. false and null do not count.';

COMMENT ON COLUMN scoring.signal.observed_at IS 'When it was observed. The decay is computed from it.';

COMMENT ON COLUMN scoring.signal.dedupe_key IS 'The sender''s key: a second signal with the same key is not stored.';

COMMENT ON COLUMN scoring.signal.created_at IS 'When it was stored.';

COMMENT ON COLUMN scoring.signal.lead_and_type IS 'Lead and type in one column, to find the latest signal. With two columns and no statistics, the planner could not tell their index from the other indexes that begin with the lead.';

ALTER TABLE ONLY app.organization
    ADD CONSTRAINT organization_pkey PRIMARY KEY (organization_id);

ALTER TABLE ONLY crm.connection
    ADD CONSTRAINT connection_pkey PRIMARY KEY (organization_id);

CREATE FUNCTION admin.crm_connections(organization_id uuid DEFAULT NULL::uuid) RETURNS TABLE(organization_id uuid, organization text, environment text, vendor text, account text, state text, fault text, push_stage text, settle_seconds integer, settings json, credential bytea, credential_key text, waiting integer, failed integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    BEGIN ATOMIC
 SELECT c.organization_id,
     o.name,
     o.environment,
     c.vendor,
     c.account,
     c.state,
     c.fault,
     c.push_stage,
     c.settle_seconds,
     (c.settings)::json AS settings,
     c.credential,
     c.credential_key,
     (count(*) FILTER (WHERE (s.status = ANY (ARRAY['pending'::text, 'in_progress'::text]))))::integer AS count,
     (count(*) FILTER (WHERE (s.status = 'failed'::text)))::integer AS count
    FROM ((crm.connection c
      JOIN app.organization o ON ((o.organization_id = c.organization_id)))
      LEFT JOIN crm.sync s ON (((s.organization_id = c.organization_id) AND (s.vendor = c.vendor) AND (s.account = c.account) AND (s.status = ANY (ARRAY['pending'::text, 'in_progress'::text, 'failed'::text])))))
   WHERE ((crm_connections.organization_id IS NULL) OR (c.organization_id = crm_connections.organization_id))
   GROUP BY o.organization_id, c.organization_id
   ORDER BY o.created_at, c.organization_id;
END;

ALTER FUNCTION admin.crm_connections(organization_id uuid) OWNER TO leads_jobs;

COMMENT ON FUNCTION admin.crm_connections(organization_id uuid) IS 'The connection of an organization, or of every organization if organization_id is null. credential: encrypted. waiting, failed: the number of pushes that wait or have failed.';

ALTER TABLE ONLY api.operation
    ADD CONSTRAINT operation_pkey PRIMARY KEY (function);

CREATE PROCEDURE api.document(IN function text, IN tag text, IN request text DEFAULT NULL::text, IN rule json DEFAULT NULL::json, IN answer text DEFAULT NULL::text, IN form text DEFAULT NULL::text, IN statuses integer[] DEFAULT '{200}'::integer[], IN headers text[] DEFAULT '{}'::text[], IN problems text[] DEFAULT '{}'::text[], IN parameters json DEFAULT '{}'::json, IN examples json DEFAULT '{}'::json)
    LANGUAGE sql
    BEGIN ATOMIC
 INSERT INTO api.operation (function, tag, request, rule, answer, form, statuses, headers, problems, parameters, examples)
   VALUES (document.function, document.tag, document.request, document.rule, document.answer, document.form, document.statuses, document.headers, document.problems, document.parameters, document.examples) ON CONFLICT ON CONSTRAINT operation_pkey DO UPDATE SET tag = excluded.tag, request = excluded.request, rule = excluded.rule, answer = excluded.answer, form = excluded.form, statuses = excluded.statuses, headers = excluded.headers, problems = excluded.problems, parameters = excluded.parameters, examples = excluded.examples;
END;

ALTER PROCEDURE api.document(IN function text, IN tag text, IN request text, IN rule json, IN answer text, IN form text, IN statuses integer[], IN headers text[], IN problems text[], IN parameters json, IN examples json) OWNER TO leads_owner;

COMMENT ON PROCEDURE api.document(IN function text, IN tag text, IN request text, IN rule json, IN answer text, IN form text, IN statuses integer[], IN headers text[], IN problems text[], IN parameters json, IN examples json) IS 'Writes the row of api.operation for a function; the comments on its columns explain the arguments.

The summary and the description come from the function''s comment, the parameters from its signature, and the fields from
the types. Only the owner of the table can call it.';

ALTER TABLE ONLY admin.catalogue_entry
    ADD CONSTRAINT catalogue_entry_pkey PRIMARY KEY (object);

ALTER TABLE ONLY api.guide
    ADD CONSTRAINT guide_pkey PRIMARY KEY ("position");

ALTER TABLE ONLY api.named_schema
    ADD CONSTRAINT named_schema_pkey PRIMARY KEY (name);

ALTER TABLE ONLY api.parameter
    ADD CONSTRAINT parameter_pkey PRIMARY KEY (name);

ALTER TABLE ONLY api.problem
    ADD CONSTRAINT problem_pkey PRIMARY KEY (raised_by);

ALTER TABLE ONLY api.route
    ADD CONSTRAINT route_pkey PRIMARY KEY (method, path);

ALTER TABLE ONLY api.shape
    ADD CONSTRAINT shape_pkey PRIMARY KEY (type);

ALTER TABLE ONLY api.tag
    ADD CONSTRAINT tag_pkey PRIMARY KEY (name);

ALTER TABLE ONLY app.idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (organization_id, key_digest);

ALTER TABLE ONLY app.lead_field
    ADD CONSTRAINT lead_field_pkey PRIMARY KEY (name);

ALTER TABLE ONLY app.lead
    ADD CONSTRAINT lead_pkey PRIMARY KEY (organization_id, id);

ALTER TABLE ONLY app.lead_word
    ADD CONSTRAINT lead_word_pkey PRIMARY KEY (organization_id, word, created_at, lead_id);

ALTER TABLE ONLY app.pipeline_stage
    ADD CONSTRAINT pipeline_stage_pkey PRIMARY KEY (organization_id, name);

ALTER TABLE ONLY app.unindexed_lead
    ADD CONSTRAINT unindexed_lead_pkey PRIMARY KEY (organization_id, lead_id);

ALTER TABLE ONLY audit.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (organization_id, id, created_at);

ALTER TABLE ONLY audit.seal
    ADD CONSTRAINT seal_pkey PRIMARY KEY (organization_id, event_id, created_at);

ALTER TABLE ONLY audit.unsealed
    ADD CONSTRAINT unsealed_pkey PRIMARY KEY (organization_id, event_id);

ALTER TABLE ONLY auth.analyst
    ADD CONSTRAINT analyst_pkey PRIMARY KEY (organization_id, role_oid);

ALTER TABLE ONLY auth.analyst
    ADD CONSTRAINT analyst_role_oid_is_unique UNIQUE (role_oid);

ALTER TABLE ONLY auth.api_key
    ADD CONSTRAINT api_key_digest_is_unique UNIQUE (digest);

ALTER TABLE ONLY auth.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (organization_id, id);

ALTER TABLE ONLY crm.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (organization_id, sync_id, number);

ALTER TABLE ONLY crm.sync
    ADD CONSTRAINT sync_is_the_only_one_of_lead_and_account UNIQUE (organization_id, lead_id, vendor, account);

ALTER TABLE ONLY crm.sync
    ADD CONSTRAINT sync_pkey PRIMARY KEY (organization_id, id);

ALTER TABLE ONLY crm.vendor
    ADD CONSTRAINT vendor_pkey PRIMARY KEY (name);

ALTER TABLE ONLY intake.client
    ADD CONSTRAINT client_pkey PRIMARY KEY (organization_id, form_id, address);

ALTER TABLE ONLY intake.form
    ADD CONSTRAINT form_key_is_of_one_form UNIQUE (organization_id, key_id);

ALTER TABLE ONLY intake.form
    ADD CONSTRAINT form_pkey PRIMARY KEY (organization_id, id);

ALTER TABLE ONLY intake.preset
    ADD CONSTRAINT preset_pkey PRIMARY KEY (name);

ALTER TABLE ONLY intake.submission
    ADD CONSTRAINT submission_arrives_once UNIQUE (organization_id, form_id, event_digest);

ALTER TABLE ONLY intake.submission
    ADD CONSTRAINT submission_pkey PRIMARY KEY (organization_id, id);

ALTER TABLE ONLY scoring.default_model
    ADD CONSTRAINT default_model_pkey PRIMARY KEY (version);

ALTER TABLE ONLY scoring.model
    ADD CONSTRAINT model_pkey PRIMARY KEY (organization_id, version);

ALTER TABLE ONLY scoring.score
    ADD CONSTRAINT score_pkey PRIMARY KEY (organization_id, id);

ALTER TABLE ONLY scoring.signal
    ADD CONSTRAINT signal_dedupe_key_is_unique_for_a_lead UNIQUE (organization_id, dedupe_key, lead_id);

ALTER TABLE ONLY scoring.signal
    ADD CONSTRAINT signal_pkey PRIMARY KEY (organization_id, id);

CREATE INDEX idempotency_key_by_created_at ON app.idempotency_key USING btree (organization_id, created_at);

CREATE INDEX lead_by_created_at ON app.lead USING btree (organization_id, created_at DESC, id DESC);

CREATE INDEX lead_by_email_key ON app.lead USING btree (organization_id, email_key, created_at DESC, id DESC);

CREATE INDEX lead_by_phone_key ON app.lead USING btree (organization_id, phone_key, created_at DESC, id DESC) WHERE (phone_key IS NOT NULL);

CREATE INDEX lead_by_pipeline_stage ON app.lead USING btree (organization_id, pipeline_stage, created_at DESC, id DESC);

CREATE INDEX lead_by_pipeline_stage_and_source ON app.lead USING btree (organization_id, pipeline_stage_and_source, created_at DESC, id DESC);

CREATE UNIQUE INDEX lead_by_reference ON app.lead USING btree (organization_id, reference) WHERE (reference IS NOT NULL);

CREATE INDEX lead_by_source ON app.lead USING btree (organization_id, source, created_at DESC, id DESC);

CREATE INDEX lead_word_by_lead ON app.lead_word USING btree (organization_id, lead_id);

CREATE INDEX event_by_action_and_source ON ONLY audit.event USING btree (organization_id, action_and_source, created_at DESC, id DESC);

CREATE INDEX event_by_created_at ON ONLY audit.event USING btree (organization_id, created_at DESC, id DESC);

CREATE INDEX event_by_lead_id ON ONLY audit.event USING btree (organization_id, lead_id, created_at DESC, id DESC);

CREATE INDEX event_by_source ON ONLY audit.event USING btree (organization_id, source, created_at DESC, id DESC);

CREATE INDEX event_by_stage_change ON ONLY audit.event USING btree (organization_id, lead_id, created_at, id) INCLUDE (stage_left, stage_entered) WHERE ((stage_left IS NOT NULL) OR (stage_entered IS NOT NULL));

CREATE INDEX attempt_by_open ON crm.attempt USING btree (organization_id, sync_id) WHERE ((sent_at IS NOT NULL) AND (outcome IS NULL));

CREATE INDEX sync_by_email_key ON crm.sync USING btree (organization_id, email_key, vendor, account);

CREATE UNIQUE INDEX sync_by_email_key_in_progress ON crm.sync USING btree (organization_id, vendor, account, email_key) WHERE (status = 'in_progress'::text);

CREATE INDEX sync_by_run_at ON crm.sync USING btree (organization_id, vendor, account, run_at) WHERE (run_at IS NOT NULL);

CREATE INDEX submission_by_created_at ON intake.submission USING btree (organization_id, created_at);

CREATE INDEX submission_by_lead_id ON intake.submission USING btree (organization_id, lead_id);

CREATE UNIQUE INDEX model_by_active ON scoring.model USING btree (organization_id) WHERE (state = 'active'::text);

CREATE UNIQUE INDEX model_by_draft ON scoring.model USING btree (organization_id) WHERE (state = 'draft'::text);

CREATE INDEX score_by_created_at ON scoring.score USING btree (organization_id, lead_id, created_at DESC, id DESC);

CREATE INDEX signal_by_created_at ON scoring.signal USING btree (organization_id, lead_id, created_at DESC, id DESC);

CREATE INDEX signal_by_observed_at ON scoring.signal USING btree (organization_id, lead_and_type, observed_at DESC, id DESC);

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON app.lead FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Delete leads with DELETE, so that each is recorded.');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON app.lead_word FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Without its rows, a search finds too few leads.');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON app.unindexed_lead FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Without its rows, a search finds too few leads.');

CREATE TRIGGER _110_check_first_score BEFORE INSERT ON app.lead FOR EACH ROW WHEN ((new.score_id IS NOT NULL)) EXECUTE FUNCTION scoring.tg_lead__check_score();

CREATE TRIGGER _120_check_score BEFORE UPDATE ON app.lead FOR EACH ROW WHEN ((old.score_id IS DISTINCT FROM new.score_id)) EXECUTE FUNCTION scoring.tg_lead__check_score();

CREATE TRIGGER _120_keep_identity BEFORE UPDATE ON app.organization FOR EACH ROW WHEN (((old.organization_id IS DISTINCT FROM new.organization_id) OR (old.created_at IS DISTINCT FROM new.created_at))) EXECUTE FUNCTION audit.tg_refuse('organization_id and created_at never change.');

CREATE TRIGGER _120_keep_identity BEFORE UPDATE ON app.pipeline_stage FOR EACH ROW WHEN ((old.organization_id IS DISTINCT FROM new.organization_id)) EXECUTE FUNCTION audit.tg_refuse('organization_id never changes.');

CREATE TRIGGER _500_add_pipeline_stages AFTER INSERT ON app.organization FOR EACH ROW EXECUTE FUNCTION app.tg_organization__add_pipeline_stages();

CREATE TRIGGER _500_keep_new BEFORE DELETE ON app.pipeline_stage FOR EACH ROW WHEN (((old.name = 'new'::text) AND (CURRENT_USER <> 'leads_eraser'::name))) EXECUTE FUNCTION app.tg_pipeline_stage__keep_new();

CREATE TRIGGER _500_stamp BEFORE INSERT OR UPDATE ON app.lead FOR EACH ROW EXECUTE FUNCTION app.tg_lead__stamp();

CREATE TRIGGER _510_keep_new BEFORE UPDATE ON app.pipeline_stage FOR EACH ROW WHEN (((old.name = 'new'::text) AND (new.name <> 'new'::text))) EXECUTE FUNCTION app.tg_pipeline_stage__keep_new();

CREATE TRIGGER _600_keep_first_score AFTER INSERT ON app.lead FOR EACH ROW WHEN (((new.lead_score <> 0) OR (new.ai_reasoning IS NOT NULL))) EXECUTE FUNCTION scoring.tg_lead__keep_score();

CREATE TRIGGER _610_keep_set_score AFTER UPDATE ON app.lead FOR EACH ROW WHEN ((((old.lead_score IS DISTINCT FROM new.lead_score) OR (old.ai_reasoning IS DISTINCT FROM new.ai_reasoning)) AND (NOT (old.score_id IS DISTINCT FROM new.score_id)))) EXECUTE FUNCTION scoring.tg_lead__keep_score();

CREATE TRIGGER _900_record AFTER INSERT OR DELETE OR UPDATE ON app.lead FOR EACH ROW WHEN ((CURRENT_USER <> 'leads_eraser'::name)) EXECUTE FUNCTION audit.tg_lead__record();

CREATE TRIGGER _900_record AFTER INSERT OR DELETE OR UPDATE ON app.organization FOR EACH ROW EXECUTE FUNCTION audit.tg_record('organization', 'organization_id');

CREATE TRIGGER _900_record AFTER INSERT OR DELETE OR UPDATE ON app.pipeline_stage FOR EACH ROW EXECUTE FUNCTION audit.tg_record('pipeline_stage', 'name');

CREATE TRIGGER _910_push_first_stage AFTER INSERT ON app.lead FOR EACH ROW EXECUTE FUNCTION crm.tg_lead__push();

CREATE TRIGGER _920_push_stage AFTER UPDATE ON app.lead FOR EACH ROW WHEN ((old.pipeline_stage IS DISTINCT FROM new.pipeline_stage)) EXECUTE FUNCTION crm.tg_lead__push();

CREATE TRIGGER _100_refuse_change BEFORE UPDATE ON audit.event FOR EACH STATEMENT WHEN ((CURRENT_USER <> 'leads_eraser'::name)) EXECUTE FUNCTION audit.tg_refuse('The audit log is append-only: write a new event instead.');

ALTER TABLE audit.event ENABLE ALWAYS TRIGGER _100_refuse_change;

CREATE TRIGGER _100_refuse_change BEFORE DELETE OR UPDATE ON audit.seal FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('The chain is append-only.');

ALTER TABLE audit.seal ENABLE ALWAYS TRIGGER _100_refuse_change;

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON audit.unsealed FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('An event that leaves the queue without a seal never gets one.');

CREATE TRIGGER _105_refuse_delete BEFORE DELETE ON audit.event FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('The audit log is append-only: write a new event instead.');

ALTER TABLE audit.event ENABLE ALWAYS TRIGGER _105_refuse_delete;

CREATE TRIGGER _110_refuse_truncate BEFORE TRUNCATE ON audit.event FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('The audit log is append-only: write a new event instead.');

ALTER TABLE audit.event ENABLE ALWAYS TRIGGER _110_refuse_truncate;

CREATE TRIGGER _110_refuse_truncate BEFORE TRUNCATE ON audit.seal FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('The chain is append-only.');

ALTER TABLE audit.seal ENABLE ALWAYS TRIGGER _110_refuse_truncate;

CREATE TRIGGER _120_check_erasure BEFORE UPDATE ON audit.event FOR EACH ROW EXECUTE FUNCTION audit.tg_event__check_erasure();

ALTER TABLE audit.event ENABLE ALWAYS TRIGGER _120_check_erasure;

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON auth.analyst FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Use "leads bi revoke", which records each change.');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON auth.api_key FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Revoke keys instead, which records each change.');

CREATE TRIGGER _110_refuse_change BEFORE UPDATE ON auth.analyst FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Revoke the analyst and create another one.');

CREATE TRIGGER _120_keep_identity BEFORE UPDATE ON auth.api_key FOR EACH ROW WHEN ((((old.organization_id IS DISTINCT FROM new.organization_id) OR (old.id IS DISTINCT FROM new.id)) OR (old.created_at IS DISTINCT FROM new.created_at))) EXECUTE FUNCTION audit.tg_refuse('organization_id, id and created_at never change.');

CREATE TRIGGER _900_record AFTER INSERT OR DELETE OR UPDATE ON auth.analyst FOR EACH ROW EXECUTE FUNCTION audit.tg_record('analyst', 'role_name');

CREATE TRIGGER _900_record AFTER INSERT OR DELETE OR UPDATE ON auth.api_key FOR EACH ROW EXECUTE FUNCTION audit.tg_record('api_key', 'id');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON crm.attempt FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Attempts can''t be truncated: each may have created a record at the vendor.');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON crm.connection FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Use "leads crm disconnect", which records each change.');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON crm.sync FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Syncs can''t be truncated: their leads would be pushed a second time.');

CREATE TRIGGER _110_keep_identity BEFORE UPDATE ON crm.sync FOR EACH ROW WHEN ((((((old.organization_id IS DISTINCT FROM new.organization_id) OR (old.id IS DISTINCT FROM new.id)) OR (old.lead_id IS DISTINCT FROM new.lead_id)) OR (old.vendor IS DISTINCT FROM new.vendor)) OR (old.account IS DISTINCT FROM new.account))) EXECUTE FUNCTION audit.tg_refuse('organization_id, id, lead_id, vendor and account never change.');

CREATE TRIGGER _110_keep_outcome BEFORE UPDATE ON crm.attempt FOR EACH ROW WHEN (((old.outcome IS NOT NULL) AND (old.outcome IS DISTINCT FROM new.outcome))) EXECUTE FUNCTION audit.tg_refuse('The outcome of an attempt never changes.');

CREATE TRIGGER _120_keep_outcome BEFORE UPDATE ON crm.sync FOR EACH ROW WHEN (((old.status = 'ok'::text) AND ((old.status IS DISTINCT FROM new.status) OR (old.external_id IS DISTINCT FROM new.external_id)))) EXECUTE FUNCTION audit.tg_refuse('A sync that is ok keeps its record: otherwise a second record would be created.');

CREATE TRIGGER _130_count_up BEFORE UPDATE ON crm.sync FOR EACH ROW WHEN ((new.attempts < old.attempts)) EXECUTE FUNCTION audit.tg_refuse('attempts is the fencing token and never decreases.');

CREATE TRIGGER _140_lease_by_attempt BEFORE UPDATE ON crm.sync FOR EACH ROW WHEN (((new.status = 'in_progress'::text) AND (old.status <> 'in_progress'::text) AND (new.attempts = old.attempts))) EXECUTE FUNCTION audit.tg_refuse('A lease is a new attempt: increment attempts.');

CREATE TRIGGER _900_record AFTER INSERT OR DELETE OR UPDATE ON crm.connection FOR EACH ROW EXECUTE FUNCTION audit.tg_record('crm_connection', 'id', 'revision', 'blocked_until', 'paced_until');

CREATE TRIGGER _900_record AFTER INSERT OR DELETE OR UPDATE ON crm.sync FOR EACH ROW WHEN ((CURRENT_USER <> 'leads_eraser'::name)) EXECUTE FUNCTION audit.tg_sync__record();

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON intake.form FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Use "leads forms revoke", which records each change.');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON intake.submission FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Submissions are deleted after 30 days.');

CREATE TRIGGER _120_keep_identity BEFORE UPDATE ON intake.form FOR EACH ROW WHEN (((((old.organization_id IS DISTINCT FROM new.organization_id) OR (old.id IS DISTINCT FROM new.id)) OR (old.key_id IS DISTINCT FROM new.key_id)) OR (old.created_at IS DISTINCT FROM new.created_at))) EXECUTE FUNCTION audit.tg_refuse('organization_id, id, key_id and created_at never change.');

CREATE TRIGGER _900_record AFTER INSERT OR DELETE OR UPDATE ON intake.form FOR EACH ROW EXECUTE FUNCTION audit.tg_record('form', 'id');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON scoring.default_model FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Models can''t be truncated: the history of scores refers to them.');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON scoring.model FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Models can''t be truncated: the history of scores refers to them.');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON scoring.score FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Scores can''t be truncated: the history keeps every score.');

CREATE TRIGGER _100_refuse_truncate BEFORE TRUNCATE ON scoring.signal FOR EACH STATEMENT EXECUTE FUNCTION audit.tg_refuse('Delete signals with DELETE, so that each is recorded.');

CREATE TRIGGER _110_refuse_change BEFORE DELETE OR UPDATE ON scoring.default_model FOR EACH ROW EXECUTE FUNCTION audit.tg_refuse('A version never changes: add a new version.');

CREATE TRIGGER _110_refuse_change BEFORE UPDATE ON scoring.score FOR EACH ROW EXECUTE FUNCTION audit.tg_refuse('A score never changes: score the lead again.');

CREATE TRIGGER _120_check BEFORE INSERT ON scoring.score FOR EACH ROW EXECUTE FUNCTION scoring.tg_score__check();

CREATE TRIGGER _120_keep_identity BEFORE UPDATE ON scoring.signal FOR EACH ROW WHEN (((((old.organization_id IS DISTINCT FROM new.organization_id) OR (old.id IS DISTINCT FROM new.id)) OR (old.lead_id IS DISTINCT FROM new.lead_id)) OR (old.created_at IS DISTINCT FROM new.created_at))) EXECUTE FUNCTION audit.tg_refuse('organization_id, id, lead_id and created_at never change.');

CREATE TRIGGER _120_keep_version BEFORE UPDATE ON scoring.model FOR EACH ROW WHEN ((((old.organization_id IS DISTINCT FROM new.organization_id) OR (old.version IS DISTINCT FROM new.version)) OR (old.created_at IS DISTINCT FROM new.created_at))) EXECUTE FUNCTION audit.tg_refuse('organization_id, version and created_at never change.');

CREATE TRIGGER _130_keep_active BEFORE UPDATE ON scoring.model FOR EACH ROW WHEN (((old.state <> 'draft'::text) AND ((new.state = 'draft'::text) OR (old.document IS DISTINCT FROM new.document)))) EXECUTE FUNCTION audit.tg_refuse('A version that was active never changes: create a new draft.');

CREATE TRIGGER _140_keep_history BEFORE DELETE ON scoring.model FOR EACH ROW WHEN (((old.state <> 'draft'::text) AND (CURRENT_USER <> 'leads_eraser'::name))) EXECUTE FUNCTION audit.tg_refuse('A version that was active can''t be deleted: the history of scores refers to it.');

CREATE TRIGGER _500_apply AFTER INSERT ON scoring.score FOR EACH ROW WHEN ((new.kind = 'scored'::text)) EXECUTE FUNCTION scoring.tg_score__apply();

CREATE TRIGGER _900_record AFTER INSERT OR DELETE OR UPDATE ON scoring.model FOR EACH ROW EXECUTE FUNCTION audit.tg_record('scoring_model', 'version');

CREATE TRIGGER _900_record AFTER DELETE ON scoring.score FOR EACH ROW WHEN ((CURRENT_USER <> 'leads_eraser'::name)) EXECUTE FUNCTION audit.tg_record('score', 'id');

CREATE TRIGGER _900_record AFTER INSERT OR DELETE OR UPDATE ON scoring.signal FOR EACH ROW WHEN ((CURRENT_USER <> 'leads_eraser'::name)) EXECUTE FUNCTION audit.tg_signal__record();

ALTER TABLE ONLY app.idempotency_key
    ADD CONSTRAINT idempotency_key_belongs_to_organization FOREIGN KEY (organization_id) REFERENCES app.organization(organization_id);

ALTER TABLE ONLY app.lead
    ADD CONSTRAINT lead_pipeline_stage_exists FOREIGN KEY (organization_id, pipeline_stage) REFERENCES app.pipeline_stage(organization_id, name);

ALTER TABLE ONLY app.lead_word
    ADD CONSTRAINT lead_word_belongs_to_lead FOREIGN KEY (organization_id, lead_id) REFERENCES app.lead(organization_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY app.pipeline_stage
    ADD CONSTRAINT pipeline_stage_belongs_to_organization FOREIGN KEY (organization_id) REFERENCES app.organization(organization_id);

ALTER TABLE audit.event
    ADD CONSTRAINT event_belongs_to_organization FOREIGN KEY (organization_id) REFERENCES app.organization(organization_id);

ALTER TABLE audit.seal
    ADD CONSTRAINT seal_belongs_to_organization FOREIGN KEY (organization_id) REFERENCES app.organization(organization_id);

ALTER TABLE ONLY auth.analyst
    ADD CONSTRAINT analyst_belongs_to_organization FOREIGN KEY (organization_id) REFERENCES app.organization(organization_id);

ALTER TABLE ONLY auth.api_key
    ADD CONSTRAINT api_key_belongs_to_organization FOREIGN KEY (organization_id) REFERENCES app.organization(organization_id);

ALTER TABLE ONLY auth.api_key
    ADD CONSTRAINT api_key_rotated_from_is_api_key FOREIGN KEY (organization_id, rotated_from) REFERENCES auth.api_key(organization_id, id);

ALTER TABLE ONLY crm.attempt
    ADD CONSTRAINT attempt_belongs_to_sync FOREIGN KEY (organization_id, sync_id) REFERENCES crm.sync(organization_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY crm.connection
    ADD CONSTRAINT connection_belongs_to_organization FOREIGN KEY (organization_id) REFERENCES app.organization(organization_id);

ALTER TABLE ONLY crm.connection
    ADD CONSTRAINT connection_push_stage_exists FOREIGN KEY (organization_id, push_stage) REFERENCES app.pipeline_stage(organization_id, name);

ALTER TABLE ONLY crm.sync
    ADD CONSTRAINT sync_belongs_to_lead FOREIGN KEY (organization_id, lead_id) REFERENCES app.lead(organization_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY intake.client
    ADD CONSTRAINT client_belongs_to_form FOREIGN KEY (organization_id, form_id) REFERENCES intake.form(organization_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY intake.form
    ADD CONSTRAINT form_belongs_to_organization FOREIGN KEY (organization_id) REFERENCES app.organization(organization_id);

ALTER TABLE ONLY intake.form
    ADD CONSTRAINT form_has_a_key FOREIGN KEY (organization_id, key_id) REFERENCES auth.api_key(organization_id, id);

ALTER TABLE ONLY intake.submission
    ADD CONSTRAINT submission_belongs_to_form FOREIGN KEY (organization_id, form_id) REFERENCES intake.form(organization_id, id);

ALTER TABLE ONLY intake.submission
    ADD CONSTRAINT submission_belongs_to_lead FOREIGN KEY (organization_id, lead_id) REFERENCES app.lead(organization_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY scoring.model
    ADD CONSTRAINT model_belongs_to_organization FOREIGN KEY (organization_id) REFERENCES app.organization(organization_id);

ALTER TABLE ONLY scoring.score
    ADD CONSTRAINT score_belongs_to_lead FOREIGN KEY (organization_id, lead_id) REFERENCES app.lead(organization_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY scoring.signal
    ADD CONSTRAINT signal_belongs_to_lead FOREIGN KEY (organization_id, lead_id) REFERENCES app.lead(organization_id, id) ON DELETE CASCADE;

ALTER TABLE app.idempotency_key ENABLE ROW LEVEL SECURITY;

CREATE POLICY idempotency_key_eraser_delete ON app.idempotency_key FOR DELETE TO leads_eraser USING (true);

CREATE POLICY idempotency_key_eraser_select ON app.idempotency_key FOR SELECT TO leads_eraser USING (true);

CREATE POLICY idempotency_key_eraser_update ON app.idempotency_key FOR UPDATE TO leads_eraser USING (true) WITH CHECK (true);

CREATE POLICY idempotency_key_exec_all ON app.idempotency_key TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('write'::text = ANY (k.scopes))))) WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('write'::text = ANY (k.scopes)))));

CREATE POLICY idempotency_key_jobs_delete ON app.idempotency_key FOR DELETE TO leads_jobs USING (true);

CREATE POLICY idempotency_key_jobs_select ON app.idempotency_key FOR SELECT TO leads_jobs USING (true);

ALTER TABLE app.lead ENABLE ROW LEVEL SECURITY;

CREATE POLICY lead_bi_all ON app.lead AS RESTRICTIVE TO leads_bi USING ((( SELECT auth.analyst_organization_id() AS analyst_organization_id) = organization_id));

CREATE POLICY lead_bi_select ON app.lead FOR SELECT TO leads_bi USING ((organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id)));

CREATE POLICY lead_eraser_delete ON app.lead FOR DELETE TO leads_eraser USING (true);

CREATE POLICY lead_eraser_select ON app.lead FOR SELECT TO leads_eraser USING (true);

CREATE POLICY lead_eraser_update ON app.lead FOR UPDATE TO leads_eraser USING (true) WITH CHECK (true);

CREATE POLICY lead_exec_insert ON app.lead FOR INSERT TO leads_exec WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('write'::text = ANY (k.scopes)))));

CREATE POLICY lead_exec_select ON app.lead FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY lead_exec_update ON app.lead FOR UPDATE TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('write'::text = ANY (k.scopes))))) WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('write'::text = ANY (k.scopes)))));

CREATE POLICY lead_intake_insert ON app.lead FOR INSERT TO leads_intake WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY lead_intake_select ON app.lead FOR SELECT TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY lead_intake_update ON app.lead FOR UPDATE TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes))))) WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY lead_jobs_insert ON app.lead FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY lead_jobs_select ON app.lead FOR SELECT TO leads_jobs USING (true);

CREATE POLICY lead_jobs_update ON app.lead FOR UPDATE TO leads_jobs USING (true) WITH CHECK (true);

ALTER TABLE app.lead_word ENABLE ROW LEVEL SECURITY;

CREATE POLICY lead_word_eraser_delete ON app.lead_word FOR DELETE TO leads_eraser USING (true);

CREATE POLICY lead_word_eraser_select ON app.lead_word FOR SELECT TO leads_eraser USING (true);

CREATE POLICY lead_word_exec_select ON app.lead_word FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY lead_word_jobs_delete ON app.lead_word FOR DELETE TO leads_jobs USING (true);

CREATE POLICY lead_word_jobs_insert ON app.lead_word FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY lead_word_jobs_select ON app.lead_word FOR SELECT TO leads_jobs USING (true);

ALTER TABLE app.organization ENABLE ROW LEVEL SECURITY;

CREATE POLICY organization_eraser_select ON app.organization FOR SELECT TO leads_eraser USING (true);

CREATE POLICY organization_eraser_update ON app.organization FOR UPDATE TO leads_eraser USING (true) WITH CHECK (true);

CREATE POLICY organization_exec_select ON app.organization FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY organization_intake_select ON app.organization FOR SELECT TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY organization_jobs_insert ON app.organization FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY organization_jobs_select ON app.organization FOR SELECT TO leads_jobs USING (true);

CREATE POLICY organization_jobs_update ON app.organization FOR UPDATE TO leads_jobs USING (true) WITH CHECK (true);

ALTER TABLE app.pipeline_stage ENABLE ROW LEVEL SECURITY;

CREATE POLICY pipeline_stage_bi_all ON app.pipeline_stage AS RESTRICTIVE TO leads_bi USING ((( SELECT auth.analyst_organization_id() AS analyst_organization_id) = organization_id));

CREATE POLICY pipeline_stage_bi_select ON app.pipeline_stage FOR SELECT TO leads_bi USING ((organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id)));

CREATE POLICY pipeline_stage_eraser_delete ON app.pipeline_stage FOR DELETE TO leads_eraser USING (true);

CREATE POLICY pipeline_stage_eraser_select ON app.pipeline_stage FOR SELECT TO leads_eraser USING (true);

CREATE POLICY pipeline_stage_exec_select ON app.pipeline_stage FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY pipeline_stage_intake_select ON app.pipeline_stage FOR SELECT TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY pipeline_stage_jobs_delete ON app.pipeline_stage FOR DELETE TO leads_jobs USING (true);

CREATE POLICY pipeline_stage_jobs_insert ON app.pipeline_stage FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY pipeline_stage_jobs_select ON app.pipeline_stage FOR SELECT TO leads_jobs USING (true);

ALTER TABLE app.unindexed_lead ENABLE ROW LEVEL SECURITY;

CREATE POLICY unindexed_lead_eraser_delete ON app.unindexed_lead FOR DELETE TO leads_eraser USING (true);

CREATE POLICY unindexed_lead_eraser_select ON app.unindexed_lead FOR SELECT TO leads_eraser USING (true);

CREATE POLICY unindexed_lead_exec_select ON app.unindexed_lead FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY unindexed_lead_jobs_delete ON app.unindexed_lead FOR DELETE TO leads_jobs USING (true);

CREATE POLICY unindexed_lead_jobs_insert ON app.unindexed_lead FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY unindexed_lead_jobs_select ON app.unindexed_lead FOR SELECT TO leads_jobs USING (true);

ALTER TABLE audit.event ENABLE ROW LEVEL SECURITY;

CREATE POLICY event_audit_insert ON audit.event FOR INSERT TO leads_audit WITH CHECK (true);

CREATE POLICY event_bi_all ON audit.event AS RESTRICTIVE TO leads_bi USING ((( SELECT auth.analyst_organization_id() AS analyst_organization_id) = organization_id));

CREATE POLICY event_bi_select ON audit.event FOR SELECT TO leads_bi USING ((organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id)));

CREATE POLICY event_eraser_select ON audit.event FOR SELECT TO leads_eraser USING (true);

CREATE POLICY event_eraser_update ON audit.event FOR UPDATE TO leads_eraser USING (true) WITH CHECK (true);

CREATE POLICY event_exec_select ON audit.event FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY event_jobs_select ON audit.event FOR SELECT TO leads_jobs USING (true);

ALTER TABLE audit.seal ENABLE ROW LEVEL SECURITY;

CREATE POLICY seal_exec_select ON audit.seal FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY seal_jobs_insert ON audit.seal FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY seal_jobs_select ON audit.seal FOR SELECT TO leads_jobs USING (true);

ALTER TABLE audit.unsealed ENABLE ROW LEVEL SECURITY;

CREATE POLICY unsealed_audit_insert ON audit.unsealed FOR INSERT TO leads_audit WITH CHECK (true);

CREATE POLICY unsealed_exec_select ON audit.unsealed FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY unsealed_jobs_delete ON audit.unsealed FOR DELETE TO leads_jobs USING (true);

CREATE POLICY unsealed_jobs_select ON audit.unsealed FOR SELECT TO leads_jobs USING (true);

ALTER TABLE auth.analyst ENABLE ROW LEVEL SECURITY;

CREATE POLICY analyst_auth_select ON auth.analyst FOR SELECT TO leads_auth USING (true);

CREATE POLICY analyst_jobs_delete ON auth.analyst FOR DELETE TO leads_jobs USING (true);

CREATE POLICY analyst_jobs_insert ON auth.analyst FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY analyst_jobs_select ON auth.analyst FOR SELECT TO leads_jobs USING (true);

ALTER TABLE auth.api_key ENABLE ROW LEVEL SECURITY;

CREATE POLICY api_key_auth_insert ON auth.api_key FOR INSERT TO leads_auth WITH CHECK (true);

CREATE POLICY api_key_auth_select ON auth.api_key FOR SELECT TO leads_auth USING (true);

CREATE POLICY api_key_jobs_insert ON auth.api_key FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY api_key_jobs_select ON auth.api_key FOR SELECT TO leads_jobs USING (true);

CREATE POLICY api_key_jobs_update ON auth.api_key FOR UPDATE TO leads_jobs USING (true) WITH CHECK (true);

ALTER TABLE crm.attempt ENABLE ROW LEVEL SECURITY;

CREATE POLICY attempt_eraser_delete ON crm.attempt FOR DELETE TO leads_eraser USING (true);

CREATE POLICY attempt_eraser_select ON crm.attempt FOR SELECT TO leads_eraser USING (true);

CREATE POLICY attempt_exec_select ON crm.attempt FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('admin'::text = ANY (k.scopes)))));

CREATE POLICY attempt_jobs_insert ON crm.attempt FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY attempt_jobs_select ON crm.attempt FOR SELECT TO leads_jobs USING (true);

CREATE POLICY attempt_jobs_update ON crm.attempt FOR UPDATE TO leads_jobs USING (true) WITH CHECK (true);

ALTER TABLE crm.connection ENABLE ROW LEVEL SECURITY;

CREATE POLICY connection_exec_select ON crm.connection FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('admin'::text = ANY (k.scopes)))));

CREATE POLICY connection_jobs_delete ON crm.connection FOR DELETE TO leads_jobs USING (true);

CREATE POLICY connection_jobs_insert ON crm.connection FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY connection_jobs_select ON crm.connection FOR SELECT TO leads_jobs USING (true);

CREATE POLICY connection_jobs_update ON crm.connection FOR UPDATE TO leads_jobs USING (true) WITH CHECK (true);

ALTER TABLE crm.sync ENABLE ROW LEVEL SECURITY;

CREATE POLICY sync_eraser_delete ON crm.sync FOR DELETE TO leads_eraser USING (true);

CREATE POLICY sync_eraser_select ON crm.sync FOR SELECT TO leads_eraser USING (true);

CREATE POLICY sync_eraser_update ON crm.sync FOR UPDATE TO leads_eraser USING (true) WITH CHECK (true);

CREATE POLICY sync_exec_select ON crm.sync FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY sync_jobs_insert ON crm.sync FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY sync_jobs_select ON crm.sync FOR SELECT TO leads_jobs USING (true);

CREATE POLICY sync_jobs_update ON crm.sync FOR UPDATE TO leads_jobs USING (true) WITH CHECK (true);

ALTER TABLE intake.client ENABLE ROW LEVEL SECURITY;

CREATE POLICY client_eraser_delete ON intake.client FOR DELETE TO leads_eraser USING (true);

CREATE POLICY client_eraser_select ON intake.client FOR SELECT TO leads_eraser USING (true);

CREATE POLICY client_intake_insert ON intake.client FOR INSERT TO leads_intake WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY client_intake_select ON intake.client FOR SELECT TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY client_intake_update ON intake.client FOR UPDATE TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes))))) WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY client_jobs_delete ON intake.client FOR DELETE TO leads_jobs USING (true);

CREATE POLICY client_jobs_select ON intake.client FOR SELECT TO leads_jobs USING (true);

ALTER TABLE intake.form ENABLE ROW LEVEL SECURITY;

CREATE POLICY form_eraser_delete ON intake.form FOR DELETE TO leads_eraser USING (true);

CREATE POLICY form_eraser_select ON intake.form FOR SELECT TO leads_eraser USING (true);

CREATE POLICY form_exec_insert ON intake.form FOR INSERT TO leads_exec WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('admin'::text = ANY (k.scopes)))));

CREATE POLICY form_exec_select ON intake.form FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('admin'::text = ANY (k.scopes)))));

CREATE POLICY form_intake_select ON intake.form FOR SELECT TO leads_intake USING (((organization_id, key_id) = ( SELECT k.organization_id,
    k.id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY form_intake_update ON intake.form FOR UPDATE TO leads_intake USING (((organization_id, key_id) = ( SELECT k.organization_id,
    k.id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes))))) WITH CHECK (false);

CREATE POLICY form_jobs_insert ON intake.form FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY form_jobs_select ON intake.form FOR SELECT TO leads_jobs USING (true);

CREATE POLICY form_jobs_update ON intake.form FOR UPDATE TO leads_jobs USING (true) WITH CHECK (true);

ALTER TABLE intake.submission ENABLE ROW LEVEL SECURITY;

CREATE POLICY submission_eraser_delete ON intake.submission FOR DELETE TO leads_eraser USING (true);

CREATE POLICY submission_eraser_select ON intake.submission FOR SELECT TO leads_eraser USING (true);

CREATE POLICY submission_exec_select ON intake.submission FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('admin'::text = ANY (k.scopes)))));

CREATE POLICY submission_intake_insert ON intake.submission FOR INSERT TO leads_intake WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY submission_intake_select ON intake.submission FOR SELECT TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY submission_intake_update ON intake.submission FOR UPDATE TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes))))) WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY submission_jobs_delete ON intake.submission FOR DELETE TO leads_jobs USING (true);

CREATE POLICY submission_jobs_select ON intake.submission FOR SELECT TO leads_jobs USING (true);

CREATE POLICY submission_jobs_update ON intake.submission FOR UPDATE TO leads_jobs USING (true) WITH CHECK (true);

ALTER TABLE scoring.model ENABLE ROW LEVEL SECURITY;

CREATE POLICY model_eraser_delete ON scoring.model FOR DELETE TO leads_eraser USING (true);

CREATE POLICY model_eraser_select ON scoring.model FOR SELECT TO leads_eraser USING (true);

CREATE POLICY model_exec_select ON scoring.model FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY model_intake_select ON scoring.model FOR SELECT TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY model_jobs_insert ON scoring.model FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY model_jobs_select ON scoring.model FOR SELECT TO leads_jobs USING (true);

CREATE POLICY model_jobs_update ON scoring.model FOR UPDATE TO leads_jobs USING (true) WITH CHECK (true);

ALTER TABLE scoring.score ENABLE ROW LEVEL SECURITY;

CREATE POLICY score_eraser_delete ON scoring.score FOR DELETE TO leads_eraser USING (true);

CREATE POLICY score_eraser_select ON scoring.score FOR SELECT TO leads_eraser USING (true);

CREATE POLICY score_exec_insert ON scoring.score FOR INSERT TO leads_exec WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('write'::text = ANY (k.scopes)))));

CREATE POLICY score_exec_select ON scoring.score FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY score_intake_insert ON scoring.score FOR INSERT TO leads_intake WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY score_intake_select ON scoring.score FOR SELECT TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY score_jobs_insert ON scoring.score FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY score_jobs_select ON scoring.score FOR SELECT TO leads_jobs USING (true);

ALTER TABLE scoring.signal ENABLE ROW LEVEL SECURITY;

CREATE POLICY signal_eraser_delete ON scoring.signal FOR DELETE TO leads_eraser USING (true);

CREATE POLICY signal_eraser_select ON scoring.signal FOR SELECT TO leads_eraser USING (true);

CREATE POLICY signal_exec_insert ON scoring.signal FOR INSERT TO leads_exec WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('write'::text = ANY (k.scopes)))));

CREATE POLICY signal_exec_select ON scoring.signal FOR SELECT TO leads_exec USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('read'::text = ANY (k.scopes)))));

CREATE POLICY signal_intake_insert ON scoring.signal FOR INSERT TO leads_intake WITH CHECK ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY signal_intake_select ON scoring.signal FOR SELECT TO leads_intake USING ((organization_id = ( SELECT k.organization_id
   FROM auth.claimed_key k
  WHERE ('form'::text = ANY (k.scopes)))));

CREATE POLICY signal_jobs_insert ON scoring.signal FOR INSERT TO leads_jobs WITH CHECK (true);

CREATE POLICY signal_jobs_select ON scoring.signal FOR SELECT TO leads_jobs USING (true);

GRANT USAGE ON SCHEMA admin TO leads_jobs;
GRANT USAGE ON SCHEMA admin TO leads_operator;
GRANT USAGE ON SCHEMA admin TO leads_worker;

GRANT USAGE ON SCHEMA api TO leads_exec;
GRANT USAGE ON SCHEMA api TO leads_jobs;
GRANT USAGE ON SCHEMA api TO leads_api;
GRANT USAGE ON SCHEMA api TO leads_intake;

GRANT USAGE ON SCHEMA app TO leads_auth;
GRANT USAGE ON SCHEMA app TO leads_exec;
GRANT USAGE ON SCHEMA app TO leads_jobs;
GRANT USAGE ON SCHEMA app TO leads_audit;
GRANT USAGE ON SCHEMA app TO leads_eraser;
GRANT USAGE ON SCHEMA app TO leads_intake;

GRANT USAGE ON SCHEMA audit TO leads_auth;
GRANT USAGE ON SCHEMA audit TO leads_exec;
GRANT USAGE ON SCHEMA audit TO leads_jobs;
GRANT USAGE ON SCHEMA audit TO leads_audit;
GRANT USAGE ON SCHEMA audit TO leads_eraser;
GRANT USAGE ON SCHEMA audit TO leads_intake;

GRANT USAGE ON SCHEMA auth TO leads_auth;
GRANT USAGE ON SCHEMA auth TO leads_exec;
GRANT USAGE ON SCHEMA auth TO leads_jobs;
GRANT USAGE ON SCHEMA auth TO leads_audit;
GRANT USAGE ON SCHEMA auth TO leads_api;
GRANT USAGE ON SCHEMA auth TO leads_eraser;
GRANT USAGE ON SCHEMA auth TO leads_intake;

GRANT USAGE ON SCHEMA bi TO leads_bi;

GRANT USAGE ON SCHEMA crm TO leads_exec;
GRANT USAGE ON SCHEMA crm TO leads_jobs;
GRANT USAGE ON SCHEMA crm TO leads_audit;
GRANT USAGE ON SCHEMA crm TO leads_eraser;
GRANT USAGE ON SCHEMA crm TO leads_worker;
GRANT USAGE ON SCHEMA crm TO leads_intake;

GRANT USAGE ON SCHEMA intake TO leads_intake;
GRANT USAGE ON SCHEMA intake TO leads_exec;
GRANT USAGE ON SCHEMA intake TO leads_jobs;
GRANT USAGE ON SCHEMA intake TO leads_eraser;

REVOKE USAGE ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA scoring TO leads_exec;
GRANT USAGE ON SCHEMA scoring TO leads_jobs;
GRANT USAGE ON SCHEMA scoring TO leads_eraser;
GRANT USAGE ON SCHEMA scoring TO leads_intake;

REVOKE ALL ON FUNCTION api.is_cursor(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION api.is_cursor(value text) TO leads_exec;
GRANT ALL ON FUNCTION api.is_cursor(value text) TO leads_api;

REVOKE ALL ON FUNCTION api.is_export_cursor(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION api.is_export_cursor(value text) TO leads_exec;
GRANT ALL ON FUNCTION api.is_export_cursor(value text) TO leads_jobs;
GRANT ALL ON FUNCTION api.is_export_cursor(value text) TO leads_api;
GRANT ALL ON FUNCTION api.is_export_cursor(value text) TO leads_operator;

REVOKE ALL ON FUNCTION api.is_change_cursor(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION api.is_change_cursor(value text) TO leads_exec;
GRANT ALL ON FUNCTION api.is_change_cursor(value text) TO leads_api;

REVOKE ALL ON FUNCTION admin.activate_scoring_model(organization_id uuid, version integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.activate_scoring_model(organization_id uuid, version integer) TO leads_operator;

REVOKE ALL ON FUNCTION admin.add_stage(organization_id uuid, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.add_stage(organization_id uuid, name text) TO leads_operator;

REVOKE ALL ON FUNCTION admin.alter_analyst(login text, connections integer, verifier text) FROM PUBLIC;

REVOKE ALL ON FUNCTION auth.roles() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.roles() TO leads_exec;
GRANT ALL ON FUNCTION auth.roles() TO leads_jobs;

GRANT SELECT,DELETE ON TABLE auth.analyst TO leads_jobs;

GRANT INSERT(organization_id) ON TABLE auth.analyst TO leads_jobs;

GRANT INSERT(role_oid) ON TABLE auth.analyst TO leads_jobs;

GRANT INSERT(role_name) ON TABLE auth.analyst TO leads_jobs;

GRANT INSERT(expires_at) ON TABLE auth.analyst TO leads_jobs;

REVOKE ALL ON FUNCTION admin.analyst_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.is_text(value text, max_length integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_text(value text, max_length integer) TO leads_auth;
GRANT ALL ON FUNCTION app.is_text(value text, max_length integer) TO leads_exec;
GRANT ALL ON FUNCTION app.is_text(value text, max_length integer) TO leads_jobs;
GRANT ALL ON FUNCTION app.is_text(value text, max_length integer) TO leads_audit;
GRANT ALL ON FUNCTION app.is_text(value text, max_length integer) TO leads_eraser;
GRANT ALL ON FUNCTION app.is_text(value text, max_length integer) TO leads_intake;

REVOKE ALL ON FUNCTION app.new_id() FROM PUBLIC;
GRANT ALL ON FUNCTION app.new_id() TO leads_auth;
GRANT ALL ON FUNCTION app.new_id() TO leads_exec;
GRANT ALL ON FUNCTION app.new_id() TO leads_jobs;
GRANT ALL ON FUNCTION app.new_id() TO leads_audit;
GRANT ALL ON FUNCTION app.new_id() TO leads_intake;

REVOKE ALL ON FUNCTION app.utc_text(instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION app.utc_text(instant timestamp with time zone) TO leads_exec;
GRANT ALL ON FUNCTION app.utc_text(instant timestamp with time zone) TO leads_jobs;
GRANT ALL ON FUNCTION app.utc_text(instant timestamp with time zone) TO leads_audit;
GRANT ALL ON FUNCTION app.utc_text(instant timestamp with time zone) TO leads_eraser;
GRANT ALL ON FUNCTION app.utc_text(instant timestamp with time zone) TO leads_intake;

GRANT REFERENCES ON TABLE app.organization TO leads_auth;
GRANT SELECT ON TABLE app.organization TO leads_exec;
GRANT SELECT ON TABLE app.organization TO leads_jobs;

GRANT SELECT(organization_id) ON TABLE app.organization TO leads_intake;
GRANT INSERT(organization_id),UPDATE(organization_id) ON TABLE app.organization TO leads_jobs;
GRANT SELECT(organization_id) ON TABLE app.organization TO leads_eraser;

GRANT INSERT(name) ON TABLE app.organization TO leads_jobs;
GRANT UPDATE(name) ON TABLE app.organization TO leads_eraser;

GRANT INSERT(environment) ON TABLE app.organization TO leads_jobs;

GRANT SELECT(erased_at),UPDATE(erased_at) ON TABLE app.organization TO leads_eraser;

GRANT SELECT(accepts_name_and_phone) ON TABLE app.organization TO leads_intake;
GRANT UPDATE(accepts_name_and_phone) ON TABLE app.organization TO leads_jobs;

GRANT SELECT(country_code) ON TABLE app.organization TO leads_intake;
GRANT UPDATE(country_code) ON TABLE app.organization TO leads_jobs;
GRANT SELECT(country_code) ON TABLE app.organization TO leads_eraser;

REVOKE ALL ON FUNCTION admin.analysts(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.analysts(organization_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION api.schema_version() FROM PUBLIC;
GRANT ALL ON FUNCTION api.schema_version() TO leads_owner;
GRANT ALL ON FUNCTION api.schema_version() TO leads_jobs;
GRANT ALL ON FUNCTION api.schema_version() TO leads_api;

GRANT SELECT ON TABLE api.operation TO leads_exec;
GRANT SELECT ON TABLE api.operation TO leads_jobs;

GRANT SELECT ON TABLE api.route TO leads_exec;
GRANT SELECT ON TABLE api.route TO leads_jobs;

REVOKE ALL ON FUNCTION admin.api_findings(release integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.backtest_leads(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.backtest_leads(organization_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.backtest_scoring_model(organization_id uuid, document jsonb, lead_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.backtest_scoring_model(organization_id uuid, document jsonb, lead_ids uuid[]) TO leads_operator;

REVOKE ALL ON FUNCTION admin.bind_analyst(login text, organization_id uuid, expires_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.catalogue() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.id_time(id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.id_time(id uuid) TO leads_audit;
GRANT ALL ON FUNCTION app.id_time(id uuid) TO leads_exec;
GRANT ALL ON FUNCTION app.id_time(id uuid) TO leads_jobs;
GRANT ALL ON FUNCTION app.id_time(id uuid) TO leads_eraser;

GRANT SELECT ON TABLE audit.seal TO leads_exec;
GRANT SELECT ON TABLE audit.seal TO leads_jobs;

GRANT INSERT(organization_id) ON TABLE audit.seal TO leads_jobs;

GRANT INSERT("position") ON TABLE audit.seal TO leads_jobs;

GRANT INSERT(event_id) ON TABLE audit.seal TO leads_jobs;

GRANT INSERT(event_hash) ON TABLE audit.seal TO leads_jobs;

GRANT INSERT(hash) ON TABLE audit.seal TO leads_jobs;

GRANT INSERT(created_at) ON TABLE audit.seal TO leads_jobs;

GRANT INSERT(sealed_at) ON TABLE audit.seal TO leads_jobs;

GRANT SELECT ON TABLE audit.unsealed TO leads_exec;
GRANT INSERT ON TABLE audit.unsealed TO leads_audit;
GRANT SELECT,DELETE ON TABLE audit.unsealed TO leads_jobs;

REVOKE ALL ON FUNCTION admin.chain_heads(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.chain_heads(organization_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.change_crm_connection(organization_id uuid, change text) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.change_crm_connection(organization_id uuid, change text) TO leads_operator;

REVOKE ALL ON FUNCTION admin.check_scoring_model(document jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.check_scoring_model(document jsonb) TO leads_operator;

REVOKE ALL ON FUNCTION admin.connect_crm(organization_id uuid, vendor text, account text, settings jsonb, credential bytea, credential_key text, push_stage text, settle_seconds integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.connect_crm(organization_id uuid, vendor text, account text, settings jsonb, credential bytea, credential_key text, push_stage text, settle_seconds integer) TO leads_operator;

REVOKE ALL ON FUNCTION admin.create_analyst(login text, organization_id uuid, verifier text, expires_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.create_audit_partitions() FROM PUBLIC;
GRANT ALL ON FUNCTION admin.create_audit_partitions() TO leads_worker;
GRANT ALL ON FUNCTION admin.create_audit_partitions() TO leads_operator;

REVOKE ALL ON FUNCTION admin.create_form(organization_id uuid, settings jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.create_form(organization_id uuid, settings jsonb) TO leads_operator;

REVOKE ALL ON FUNCTION admin.create_key(organization_id uuid, scope text, digest bytea, name text, expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.create_key(organization_id uuid, scope text, digest bytea, name text, expires_at timestamp with time zone) TO leads_operator;

REVOKE ALL ON FUNCTION admin.create_organization(name text, environment text) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.create_organization(name text, environment text) TO leads_operator;

REVOKE ALL ON FUNCTION app.is_name(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_name(value text) TO leads_auth;
GRANT ALL ON FUNCTION app.is_name(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.is_name(value text) TO leads_jobs;
GRANT ALL ON FUNCTION app.is_name(value text) TO leads_audit;
GRANT ALL ON FUNCTION app.is_name(value text) TO leads_intake;

REVOKE ALL ON FUNCTION audit.record_read(organization_id uuid, function text, lead_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.record_read(organization_id uuid, function text, lead_ids uuid[]) TO leads_jobs;

GRANT SELECT ON TABLE crm.sync TO leads_exec;
GRANT SELECT ON TABLE crm.sync TO leads_jobs;
GRANT SELECT,DELETE ON TABLE crm.sync TO leads_eraser;

GRANT INSERT(organization_id) ON TABLE crm.sync TO leads_jobs;
GRANT UPDATE(organization_id) ON TABLE crm.sync TO leads_eraser;

GRANT INSERT(lead_id) ON TABLE crm.sync TO leads_jobs;

GRANT INSERT(vendor) ON TABLE crm.sync TO leads_jobs;

GRANT INSERT(account) ON TABLE crm.sync TO leads_jobs;

GRANT INSERT(status),UPDATE(status) ON TABLE crm.sync TO leads_jobs;

GRANT UPDATE(external_id) ON TABLE crm.sync TO leads_jobs;

GRANT INSERT(error_code),UPDATE(error_code) ON TABLE crm.sync TO leads_jobs;

GRANT INSERT(error),UPDATE(error) ON TABLE crm.sync TO leads_jobs;

GRANT INSERT(run_at),UPDATE(run_at) ON TABLE crm.sync TO leads_jobs;

GRANT UPDATE(leased_by) ON TABLE crm.sync TO leads_jobs;

GRANT UPDATE(attempts) ON TABLE crm.sync TO leads_jobs;

GRANT UPDATE(begun_at) ON TABLE crm.sync TO leads_jobs;

GRANT UPDATE(begun_after) ON TABLE crm.sync TO leads_jobs;

GRANT INSERT(email_key),UPDATE(email_key) ON TABLE crm.sync TO leads_jobs;

GRANT UPDATE(last_synced_at) ON TABLE crm.sync TO leads_jobs;

REVOKE ALL ON FUNCTION admin.crm_queue(organization_id uuid, row_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.crm_queue(organization_id uuid, row_limit integer) TO leads_operator;

REVOKE ALL ON FUNCTION app.is_details(value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_details(value jsonb) TO leads_exec;
GRANT ALL ON FUNCTION app.is_details(value jsonb) TO leads_jobs;
GRANT ALL ON FUNCTION app.is_details(value jsonb) TO leads_intake;

REVOKE ALL ON FUNCTION app.is_email(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_email(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.is_email(value text) TO leads_jobs;
GRANT ALL ON FUNCTION app.is_email(value text) TO leads_intake;

REVOKE ALL ON FUNCTION app.is_phone(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_phone(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.is_phone(value text) TO leads_jobs;
GRANT ALL ON FUNCTION app.is_phone(value text) TO leads_intake;

GRANT SELECT ON TABLE app.lead TO leads_exec;
GRANT SELECT ON TABLE app.lead TO leads_intake;
GRANT SELECT ON TABLE app.lead TO leads_jobs;
GRANT DELETE ON TABLE app.lead TO leads_eraser;

GRANT INSERT(id) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(id) ON TABLE app.lead TO leads_bi;
GRANT SELECT(id) ON TABLE app.lead TO leads_eraser;

GRANT INSERT(organization_id) ON TABLE app.lead TO leads_exec;
GRANT INSERT(organization_id) ON TABLE app.lead TO leads_intake;
GRANT INSERT(organization_id) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(organization_id) ON TABLE app.lead TO leads_bi;
GRANT SELECT(organization_id),UPDATE(organization_id) ON TABLE app.lead TO leads_eraser;

GRANT INSERT(name),UPDATE(name) ON TABLE app.lead TO leads_exec;
GRANT INSERT(name),UPDATE(name) ON TABLE app.lead TO leads_intake;
GRANT INSERT(name),UPDATE(name) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(name) ON TABLE app.lead TO leads_bi;

GRANT INSERT(company),UPDATE(company) ON TABLE app.lead TO leads_exec;
GRANT INSERT(company),UPDATE(company) ON TABLE app.lead TO leads_intake;
GRANT INSERT(company),UPDATE(company) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(company) ON TABLE app.lead TO leads_bi;

GRANT INSERT(email),UPDATE(email) ON TABLE app.lead TO leads_exec;
GRANT INSERT(email),UPDATE(email) ON TABLE app.lead TO leads_intake;
GRANT INSERT(email),UPDATE(email) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(email) ON TABLE app.lead TO leads_bi;
GRANT SELECT(email) ON TABLE app.lead TO leads_eraser;

GRANT INSERT(source),UPDATE(source) ON TABLE app.lead TO leads_exec;
GRANT INSERT(source) ON TABLE app.lead TO leads_intake;
GRANT INSERT(source) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(source) ON TABLE app.lead TO leads_bi;

GRANT INSERT(lead_score),UPDATE(lead_score) ON TABLE app.lead TO leads_exec;
GRANT UPDATE(lead_score) ON TABLE app.lead TO leads_intake;
GRANT INSERT(lead_score),UPDATE(lead_score) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(lead_score) ON TABLE app.lead TO leads_bi;

GRANT INSERT(pipeline_stage),UPDATE(pipeline_stage) ON TABLE app.lead TO leads_exec;
GRANT INSERT(pipeline_stage) ON TABLE app.lead TO leads_intake;
GRANT INSERT(pipeline_stage) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(pipeline_stage) ON TABLE app.lead TO leads_bi;
GRANT SELECT(pipeline_stage) ON TABLE app.lead TO leads_eraser;

GRANT INSERT(industry),UPDATE(industry) ON TABLE app.lead TO leads_exec;
GRANT INSERT(industry),UPDATE(industry) ON TABLE app.lead TO leads_intake;
GRANT INSERT(industry),UPDATE(industry) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(industry) ON TABLE app.lead TO leads_bi;

GRANT INSERT(company_size),UPDATE(company_size) ON TABLE app.lead TO leads_exec;
GRANT INSERT(company_size),UPDATE(company_size) ON TABLE app.lead TO leads_intake;
GRANT INSERT(company_size),UPDATE(company_size) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(company_size) ON TABLE app.lead TO leads_bi;

GRANT INSERT(pain_points),UPDATE(pain_points) ON TABLE app.lead TO leads_exec;
GRANT INSERT(pain_points),UPDATE(pain_points) ON TABLE app.lead TO leads_intake;
GRANT INSERT(pain_points),UPDATE(pain_points) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(pain_points) ON TABLE app.lead TO leads_bi;

GRANT INSERT(timeline),UPDATE(timeline) ON TABLE app.lead TO leads_exec;
GRANT INSERT(timeline),UPDATE(timeline) ON TABLE app.lead TO leads_intake;
GRANT INSERT(timeline),UPDATE(timeline) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(timeline) ON TABLE app.lead TO leads_bi;

GRANT INSERT(budget_range),UPDATE(budget_range) ON TABLE app.lead TO leads_exec;
GRANT INSERT(budget_range),UPDATE(budget_range) ON TABLE app.lead TO leads_intake;
GRANT INSERT(budget_range),UPDATE(budget_range) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(budget_range) ON TABLE app.lead TO leads_bi;

GRANT INSERT(ai_reasoning),UPDATE(ai_reasoning) ON TABLE app.lead TO leads_exec;
GRANT UPDATE(ai_reasoning) ON TABLE app.lead TO leads_intake;
GRANT INSERT(ai_reasoning),UPDATE(ai_reasoning) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(ai_reasoning) ON TABLE app.lead TO leads_bi;

GRANT INSERT(qualification_completed_at) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(qualification_completed_at) ON TABLE app.lead TO leads_bi;

GRANT INSERT(created_at) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(created_at) ON TABLE app.lead TO leads_bi;

GRANT INSERT(updated_at) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(updated_at) ON TABLE app.lead TO leads_bi;

GRANT UPDATE(score_id) ON TABLE app.lead TO leads_exec;
GRANT UPDATE(score_id) ON TABLE app.lead TO leads_intake;
GRANT UPDATE(score_id) ON TABLE app.lead TO leads_jobs;

GRANT UPDATE(item) ON TABLE app.lead TO leads_jobs;

GRANT INSERT(phone),UPDATE(phone) ON TABLE app.lead TO leads_exec;
GRANT INSERT(phone),UPDATE(phone) ON TABLE app.lead TO leads_intake;
GRANT INSERT(phone),UPDATE(phone) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(phone) ON TABLE app.lead TO leads_bi;

GRANT UPDATE(phone_key) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(phone_key) ON TABLE app.lead TO leads_bi;
GRANT SELECT(phone_key) ON TABLE app.lead TO leads_eraser;

GRANT INSERT(reference),UPDATE(reference) ON TABLE app.lead TO leads_exec;
GRANT INSERT(reference) ON TABLE app.lead TO leads_intake;
GRANT INSERT(reference) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(reference) ON TABLE app.lead TO leads_bi;

GRANT INSERT(details),UPDATE(details) ON TABLE app.lead TO leads_exec;
GRANT INSERT(details),UPDATE(details) ON TABLE app.lead TO leads_intake;
GRANT INSERT(details),UPDATE(details) ON TABLE app.lead TO leads_jobs;
GRANT SELECT(details) ON TABLE app.lead TO leads_bi;

GRANT SELECT,DELETE ON TABLE crm.connection TO leads_jobs;

GRANT SELECT(organization_id) ON TABLE crm.connection TO leads_exec;
GRANT INSERT(organization_id) ON TABLE crm.connection TO leads_jobs;

GRANT SELECT(id) ON TABLE crm.connection TO leads_exec;

GRANT SELECT(vendor) ON TABLE crm.connection TO leads_exec;
GRANT INSERT(vendor),UPDATE(vendor) ON TABLE crm.connection TO leads_jobs;

GRANT SELECT(account) ON TABLE crm.connection TO leads_exec;
GRANT INSERT(account),UPDATE(account) ON TABLE crm.connection TO leads_jobs;

GRANT SELECT(state) ON TABLE crm.connection TO leads_exec;
GRANT UPDATE(state) ON TABLE crm.connection TO leads_jobs;

GRANT SELECT(fault) ON TABLE crm.connection TO leads_exec;
GRANT UPDATE(fault) ON TABLE crm.connection TO leads_jobs;

GRANT SELECT(push_stage) ON TABLE crm.connection TO leads_exec;
GRANT INSERT(push_stage),UPDATE(push_stage) ON TABLE crm.connection TO leads_jobs;

GRANT SELECT(settings) ON TABLE crm.connection TO leads_exec;
GRANT INSERT(settings),UPDATE(settings) ON TABLE crm.connection TO leads_jobs;

GRANT SELECT(settle_seconds) ON TABLE crm.connection TO leads_exec;
GRANT INSERT(settle_seconds),UPDATE(settle_seconds) ON TABLE crm.connection TO leads_jobs;

GRANT UPDATE(revision) ON TABLE crm.connection TO leads_jobs;

GRANT INSERT(credential),UPDATE(credential) ON TABLE crm.connection TO leads_jobs;

GRANT INSERT(credential_key),UPDATE(credential_key) ON TABLE crm.connection TO leads_jobs;

GRANT UPDATE(blocked_until) ON TABLE crm.connection TO leads_jobs;

GRANT UPDATE(paced_until) ON TABLE crm.connection TO leads_jobs;

GRANT SELECT(created_at) ON TABLE crm.connection TO leads_exec;

REVOKE ALL ON FUNCTION admin.crm_syncs(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.crm_syncs(organization_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.delete_expired_answers(batch integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.delete_expired_answers(batch integer) TO leads_worker;

REVOKE ALL ON FUNCTION admin.delete_old_submissions(batch integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.delete_old_submissions(batch integer) TO leads_worker;

REVOKE ALL ON FUNCTION admin.disable_analyst(login text) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.drift() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.drop_analyst(login text) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.edit_scoring_model(organization_id uuid, document jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.edit_scoring_model(organization_id uuid, document jsonb) TO leads_operator;

REVOKE ALL ON FUNCTION admin.end_analyst_sessions(login text) FROM PUBLIC;

REVOKE ALL ON FUNCTION audit.erase_lead(organization_id uuid, lead_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.erase_lead(organization_id uuid, lead_id uuid) TO leads_jobs;

REVOKE ALL ON FUNCTION admin.erase_lead(organization_id uuid, lead_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.erase_lead(organization_id uuid, lead_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.erase_organization(organization_id uuid, after uuid, batch integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.erase_organization(organization_id uuid, after uuid, batch integer) TO leads_operator;

REVOKE ALL ON FUNCTION admin.erase_submissions(organization_id uuid, email text, phone text) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.erase_submissions(organization_id uuid, email text, phone text) TO leads_operator;

REVOKE ALL ON FUNCTION admin.export_audit_events(organization_id uuid, format api.export_format, cursor api.export_cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.export_audit_events(organization_id uuid, format api.export_format, cursor api.export_cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) TO leads_operator;

REVOKE ALL ON FUNCTION admin.export_leads(organization_id uuid, format api.export_format, cursor api.export_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, phone text, reference text, start_at timestamp with time zone, end_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.export_leads(organization_id uuid, format api.export_format, cursor api.export_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, phone text, reference text, start_at timestamp with time zone, end_at timestamp with time zone) TO leads_operator;

REVOKE ALL ON FUNCTION admin.fill_lead_items(batch integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.fill_phone_keys(organization_id uuid, after uuid, batch integer, OUT last_id uuid, OUT leads integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.fill_phone_keys(organization_id uuid, after uuid, batch integer, OUT last_id uuid, OUT leads integer) TO leads_operator;

REVOKE ALL ON FUNCTION admin.find_leads_to_erase(organization_id uuid, lead_id uuid, email text, phone text) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.function_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.grant_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.key_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.partition_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.policy_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.role_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.row_security_findings() FROM PUBLIC;

GRANT SELECT ON TABLE audit.event TO leads_exec;
GRANT SELECT ON TABLE audit.event TO leads_jobs;

GRANT INSERT(id) ON TABLE audit.event TO leads_audit;
GRANT SELECT(id) ON TABLE audit.event TO leads_bi;
GRANT SELECT(id) ON TABLE audit.event TO leads_eraser;

GRANT INSERT(organization_id) ON TABLE audit.event TO leads_audit;
GRANT SELECT(organization_id) ON TABLE audit.event TO leads_bi;
GRANT SELECT(organization_id) ON TABLE audit.event TO leads_eraser;

GRANT INSERT(action) ON TABLE audit.event TO leads_audit;
GRANT SELECT(action) ON TABLE audit.event TO leads_bi;
GRANT SELECT(action) ON TABLE audit.event TO leads_eraser;

GRANT INSERT(source) ON TABLE audit.event TO leads_audit;
GRANT SELECT(source) ON TABLE audit.event TO leads_bi;

GRANT INSERT(correlation_id) ON TABLE audit.event TO leads_audit;
GRANT SELECT(correlation_id) ON TABLE audit.event TO leads_bi;

GRANT INSERT(lead_id) ON TABLE audit.event TO leads_audit;
GRANT SELECT(lead_id) ON TABLE audit.event TO leads_bi;
GRANT SELECT(lead_id) ON TABLE audit.event TO leads_eraser;

GRANT INSERT(payload) ON TABLE audit.event TO leads_audit;
GRANT SELECT(payload) ON TABLE audit.event TO leads_bi;
GRANT SELECT(payload),UPDATE(payload) ON TABLE audit.event TO leads_eraser;

GRANT INSERT(salt) ON TABLE audit.event TO leads_audit;
GRANT SELECT(salt),UPDATE(salt) ON TABLE audit.event TO leads_eraser;

GRANT INSERT(payload_digest) ON TABLE audit.event TO leads_audit;
GRANT SELECT(payload_digest) ON TABLE audit.event TO leads_eraser;

GRANT INSERT(created_at) ON TABLE audit.event TO leads_audit;
GRANT SELECT(created_at) ON TABLE audit.event TO leads_bi;
GRANT SELECT(created_at) ON TABLE audit.event TO leads_eraser;

GRANT SELECT(stage_left) ON TABLE audit.event TO leads_bi;

GRANT SELECT(stage_entered) ON TABLE audit.event TO leads_bi;

REVOKE ALL ON FUNCTION admin.seal_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.setting_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.statistics_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.trigger_findings() FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.findings(release integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.findings(release integer) TO leads_operator;

GRANT SELECT ON TABLE intake.preset TO leads_intake;
GRANT SELECT ON TABLE intake.preset TO leads_exec;
GRANT SELECT ON TABLE intake.preset TO leads_jobs;

REVOKE ALL ON FUNCTION admin.form_presets() FROM PUBLIC;
GRANT ALL ON FUNCTION admin.form_presets() TO leads_operator;

REVOKE ALL ON FUNCTION admin.form_submissions(organization_id uuid, form_id uuid, batch integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.form_submissions(organization_id uuid, form_id uuid, batch integer) TO leads_operator;

GRANT SELECT(organization_id),INSERT(organization_id) ON TABLE auth.api_key TO leads_jobs;

GRANT SELECT(id),INSERT(id) ON TABLE auth.api_key TO leads_jobs;

GRANT SELECT(name),INSERT(name),UPDATE(name) ON TABLE auth.api_key TO leads_jobs;

GRANT SELECT(scopes),INSERT(scopes) ON TABLE auth.api_key TO leads_jobs;

GRANT INSERT(digest) ON TABLE auth.api_key TO leads_jobs;

GRANT SELECT(created_at) ON TABLE auth.api_key TO leads_jobs;

GRANT SELECT(expires_at),INSERT(expires_at),UPDATE(expires_at) ON TABLE auth.api_key TO leads_jobs;

GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE auth.api_key TO leads_jobs;

GRANT SELECT(rotated_from),INSERT(rotated_from) ON TABLE auth.api_key TO leads_jobs;

REVOKE ALL ON FUNCTION auth.key_state(organization_id uuid, id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION auth.key_state(organization_id uuid, id uuid) TO leads_exec;
GRANT ALL ON FUNCTION auth.key_state(organization_id uuid, id uuid) TO leads_jobs;

GRANT SELECT ON TABLE intake.form TO leads_intake;
GRANT SELECT ON TABLE intake.form TO leads_exec;
GRANT SELECT ON TABLE intake.form TO leads_jobs;
GRANT DELETE ON TABLE intake.form TO leads_eraser;

GRANT UPDATE(organization_id) ON TABLE intake.form TO leads_intake;
GRANT INSERT(organization_id) ON TABLE intake.form TO leads_exec;
GRANT INSERT(organization_id) ON TABLE intake.form TO leads_jobs;
GRANT SELECT(organization_id) ON TABLE intake.form TO leads_eraser;

GRANT INSERT(id) ON TABLE intake.form TO leads_exec;
GRANT INSERT(id) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(key_id) ON TABLE intake.form TO leads_exec;
GRANT INSERT(key_id) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(name) ON TABLE intake.form TO leads_exec;
GRANT INSERT(name),UPDATE(name) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(preset) ON TABLE intake.form TO leads_exec;
GRANT INSERT(preset),UPDATE(preset) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(source) ON TABLE intake.form TO leads_exec;
GRANT INSERT(source),UPDATE(source) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(mapping) ON TABLE intake.form TO leads_exec;
GRANT INSERT(mapping),UPDATE(mapping) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(constants) ON TABLE intake.form TO leads_exec;
GRANT INSERT(constants),UPDATE(constants) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(origins) ON TABLE intake.form TO leads_exec;
GRANT INSERT(origins),UPDATE(origins) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(honeypot) ON TABLE intake.form TO leads_exec;
GRANT INSERT(honeypot),UPDATE(honeypot) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(redirect_url) ON TABLE intake.form TO leads_exec;
GRANT INSERT(redirect_url),UPDATE(redirect_url) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(on_duplicate) ON TABLE intake.form TO leads_exec;
GRANT INSERT(on_duplicate),UPDATE(on_duplicate) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(duplicate_hours) ON TABLE intake.form TO leads_exec;
GRANT INSERT(duplicate_hours),UPDATE(duplicate_hours) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(requests_per_minute) ON TABLE intake.form TO leads_exec;
GRANT INSERT(requests_per_minute),UPDATE(requests_per_minute) ON TABLE intake.form TO leads_jobs;

GRANT INSERT(credential) ON TABLE intake.form TO leads_exec;
GRANT INSERT(credential) ON TABLE intake.form TO leads_jobs;

REVOKE ALL ON FUNCTION intake.form_item(organization_id uuid, form_id uuid, token text) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.form_item(organization_id uuid, form_id uuid, token text) TO leads_exec;
GRANT ALL ON FUNCTION intake.form_item(organization_id uuid, form_id uuid, token text) TO leads_jobs;

REVOKE ALL ON FUNCTION admin.forms(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.forms(organization_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.good_key(id uuid, OUT organization_id uuid, OUT environment text, OUT name text, OUT scopes text[], OUT expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.good_key(id uuid, OUT organization_id uuid, OUT environment text, OUT name text, OUT scopes text[], OUT expires_at timestamp with time zone) TO leads_operator;

REVOKE ALL ON FUNCTION admin.index_leads(after uuid, batch integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.index_leads(after uuid, batch integer) TO leads_worker;

REVOKE ALL ON FUNCTION admin.keep_catalogue(drifted jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.keys(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.keys(organization_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.known_form(form_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.known_organization(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.known_organization(organization_id uuid) TO leads_operator;

GRANT SELECT ON TABLE crm.attempt TO leads_jobs;
GRANT SELECT,DELETE ON TABLE crm.attempt TO leads_eraser;

GRANT INSERT(organization_id) ON TABLE crm.attempt TO leads_jobs;
GRANT SELECT(organization_id) ON TABLE crm.attempt TO leads_exec;

GRANT INSERT(sync_id) ON TABLE crm.attempt TO leads_jobs;
GRANT SELECT(sync_id) ON TABLE crm.attempt TO leads_exec;

GRANT INSERT(number) ON TABLE crm.attempt TO leads_jobs;
GRANT SELECT(number) ON TABLE crm.attempt TO leads_exec;

GRANT INSERT(connection_revision) ON TABLE crm.attempt TO leads_jobs;

GRANT UPDATE(email) ON TABLE crm.attempt TO leads_jobs;
GRANT SELECT(email) ON TABLE crm.attempt TO leads_exec;

GRANT UPDATE(display_name) ON TABLE crm.attempt TO leads_jobs;
GRANT SELECT(display_name) ON TABLE crm.attempt TO leads_exec;

GRANT UPDATE(sent_at) ON TABLE crm.attempt TO leads_jobs;
GRANT SELECT(sent_at) ON TABLE crm.attempt TO leads_exec;

GRANT UPDATE(outcome) ON TABLE crm.attempt TO leads_jobs;
GRANT SELECT(outcome) ON TABLE crm.attempt TO leads_exec;

GRANT UPDATE(http_status) ON TABLE crm.attempt TO leads_jobs;

GRANT UPDATE(message) ON TABLE crm.attempt TO leads_jobs;
GRANT SELECT(message) ON TABLE crm.attempt TO leads_exec;

GRANT SELECT(created_at) ON TABLE crm.attempt TO leads_exec;

REVOKE ALL ON FUNCTION crm.copies(organization_id uuid, lead_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.copies(organization_id uuid, lead_id uuid) TO leads_eraser;

REVOKE ALL ON FUNCTION admin.leads_to_erase(organization_id uuid, lead_id uuid, email text, phone text) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.leads_to_erase(organization_id uuid, lead_id uuid, email text, phone text) TO leads_operator;

REVOKE ALL ON FUNCTION admin.limit_analyst(login text, connections integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.load_leads(organization_id uuid, leads jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.load_leads(organization_id uuid, leads jsonb) TO leads_operator;

REVOKE ALL ON FUNCTION admin.load_signals(organization_id uuid, signals jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.load_signals(organization_id uuid, signals jsonb) TO leads_operator;

REVOKE ALL ON FUNCTION admin.organization(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.organization(organization_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.organizations() FROM PUBLIC;
GRANT ALL ON FUNCTION admin.organizations() TO leads_operator;

REVOKE ALL ON FUNCTION admin.queue_leads(batch integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.remove_stage(organization_id uuid, name text) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.remove_stage(organization_id uuid, name text) TO leads_operator;

REVOKE ALL ON FUNCTION admin.replay_submissions(form_id uuid, submission_id uuid, after uuid, batch integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.replay_submissions(form_id uuid, submission_id uuid, after uuid, batch integer) TO leads_operator;

REVOKE ALL ON FUNCTION admin.retry_crm(organization_id uuid, lead_id uuid, external_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.retry_crm(organization_id uuid, lead_id uuid, external_id text) TO leads_operator;

REVOKE ALL ON FUNCTION admin.revoke_analyst(login text) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.revoke_form(form_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.revoke_form(form_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.revoke_key(id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.revoke_key(id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.rotate_key(id uuid, digest bytea, overlap interval) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.rotate_key(id uuid, digest bytea, overlap interval) TO leads_operator;

REVOKE ALL ON FUNCTION admin.scoring_models(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.scoring_models(organization_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.seal_events(after uuid, batch integer) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.seal_events(after uuid, batch integer) TO leads_worker;
GRANT ALL ON FUNCTION admin.seal_events(after uuid, batch integer) TO leads_operator;

REVOKE ALL ON FUNCTION admin.set_form(form_id uuid, settings jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.set_form(form_id uuid, settings jsonb) TO leads_operator;

REVOKE ALL ON FUNCTION admin.set_organization(organization_id uuid, accepts_name_and_phone boolean, country_code text) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.set_organization(organization_id uuid, accepts_name_and_phone boolean, country_code text) TO leads_operator;

REVOKE ALL ON FUNCTION admin.signal_analyst(login text) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.stages(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.stages(organization_id uuid) TO leads_operator;

REVOKE ALL ON FUNCTION admin.try_scoring_model(organization_id uuid, lead_id uuid, instant timestamp with time zone, document jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.try_scoring_model(organization_id uuid, lead_id uuid, instant timestamp with time zone, document jsonb) TO leads_operator;

REVOKE ALL ON FUNCTION admin.unbind_analyst(login text) FROM PUBLIC;

REVOKE ALL ON FUNCTION admin.verify_chain(organization_id uuid, after bigint, "limit" api.seal_count, kept_head api.chain_head) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.verify_chain(organization_id uuid, after bigint, "limit" api.seal_count, kept_head api.chain_head) TO leads_operator;

REVOKE ALL ON FUNCTION api.create_form(body text) FROM PUBLIC;
GRANT ALL ON FUNCTION api.create_form(body text) TO leads_api;

REVOKE ALL ON FUNCTION api.create_lead(body text, idempotency_key api.idempotency_key, idempotency_wait integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.create_lead(body text, idempotency_key api.idempotency_key, idempotency_wait integer) TO leads_api;

REVOKE ALL ON FUNCTION api.create_signals(id uuid, body text, idempotency_key api.idempotency_key, idempotency_wait integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.create_signals(id uuid, body text, idempotency_key api.idempotency_key, idempotency_wait integer) TO leads_api;

REVOKE ALL ON FUNCTION api.default_text(function oid, "position" integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION api.delete_lead(id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.delete_lead(id uuid) TO leads_api;

REVOKE ALL ON FUNCTION api.export_audit_events(format api.export_format, cursor api.export_cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION api.export_audit_events(format api.export_format, cursor api.export_cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) TO leads_api;

REVOKE ALL ON FUNCTION api.export_leads(format api.export_format, cursor api.export_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, start_at timestamp with time zone, end_at timestamp with time zone, phone text, reference text) FROM PUBLIC;
GRANT ALL ON FUNCTION api.export_leads(format api.export_format, cursor api.export_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, start_at timestamp with time zone, end_at timestamp with time zone, phone text, reference text) TO leads_api;

REVOKE ALL ON FUNCTION api.expression(definition text) FROM PUBLIC;

REVOKE ALL ON FUNCTION audit.event_etag(payload_digest bytea, salt bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.event_etag(payload_digest bytea, salt bytea) TO leads_exec;

REVOKE ALL ON FUNCTION audit.event_item(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.event_item(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) TO leads_exec;

REVOKE ALL ON FUNCTION auth.entered_organization_id() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.entered_organization_id() TO leads_exec;

REVOKE ALL ON FUNCTION api.get_audit_event(id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.get_audit_event(id uuid) TO leads_api;

GRANT SELECT ON TABLE auth.claimed_key TO leads_exec;
GRANT SELECT ON TABLE auth.claimed_key TO leads_intake;

REVOKE ALL ON FUNCTION auth.organization_id(scope text) FROM PUBLIC;
GRANT ALL ON FUNCTION auth.organization_id(scope text) TO leads_exec;
GRANT ALL ON FUNCTION auth.organization_id(scope text) TO leads_eraser;
GRANT ALL ON FUNCTION auth.organization_id(scope text) TO leads_intake;

REVOKE ALL ON FUNCTION crm.sync_in_force(organization_id uuid, lead_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.sync_in_force(organization_id uuid, lead_id uuid) TO leads_exec;

REVOKE ALL ON FUNCTION crm.sync_item(lead_id uuid, sync crm.sync_values) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.sync_item(lead_id uuid, sync crm.sync_values) TO leads_exec;

REVOKE ALL ON FUNCTION api.get_crm_sync(id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.get_crm_sync(id uuid) TO leads_api;

REVOKE ALL ON FUNCTION auth.key_scopes() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.key_scopes() TO leads_exec;

REVOKE ALL ON FUNCTION api.get_health() FROM PUBLIC;
GRANT ALL ON FUNCTION api.get_health() TO leads_api;

REVOKE ALL ON FUNCTION api.get_lead(id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.get_lead(id uuid) TO leads_api;

REVOKE ALL ON FUNCTION api.get_lead_details(id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.get_lead_details(id uuid) TO leads_api;

REVOKE ALL ON FUNCTION api.get_lead_everything(id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.get_lead_everything(id uuid) TO leads_api;

GRANT SELECT ON TABLE app.pipeline_stage TO leads_exec;
GRANT SELECT ON TABLE app.pipeline_stage TO leads_intake;
GRANT SELECT,INSERT,DELETE ON TABLE app.pipeline_stage TO leads_jobs;
GRANT DELETE ON TABLE app.pipeline_stage TO leads_eraser;

GRANT SELECT(organization_id) ON TABLE app.pipeline_stage TO leads_bi;
GRANT SELECT(organization_id) ON TABLE app.pipeline_stage TO leads_eraser;

GRANT SELECT(name) ON TABLE app.pipeline_stage TO leads_bi;

GRANT SELECT("position") ON TABLE app.pipeline_stage TO leads_bi;

REVOKE ALL ON FUNCTION api.get_organization() FROM PUBLIC;
GRANT ALL ON FUNCTION api.get_organization() TO leads_api;

REVOKE ALL ON FUNCTION api.get_push(id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION api.get_push(id uuid) TO leads_api;

REVOKE ALL ON FUNCTION api.input_faults(names text[], types text[], texts text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION api.input_faults(names text[], types text[], texts text[]) TO leads_api;

REVOKE ALL ON FUNCTION api.json_text(content text) FROM PUBLIC;

REVOKE ALL ON FUNCTION api.list_audit_events("limit" api.page_size, cursor api.cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION api.list_audit_events("limit" api.page_size, cursor api.cursor, action api.any_of, source api.any_of, lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone) TO leads_api;

REVOKE ALL ON FUNCTION api.list_crm_connections() FROM PUBLIC;
GRANT ALL ON FUNCTION api.list_crm_connections() TO leads_api;

REVOKE ALL ON FUNCTION api.list_forms() FROM PUBLIC;
GRANT ALL ON FUNCTION api.list_forms() TO leads_api;

REVOKE ALL ON FUNCTION api.list_leads("limit" api.page_size, cursor api.lead_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, start_at timestamp with time zone, end_at timestamp with time zone, phone text, reference text, updated_since timestamp with time zone, "order" api.lead_order, q api.search_text) FROM PUBLIC;
GRANT ALL ON FUNCTION api.list_leads("limit" api.page_size, cursor api.lead_cursor, pipeline_stage api.any_of, source api.any_of, email api.any_of, start_at timestamp with time zone, end_at timestamp with time zone, phone text, reference text, updated_since timestamp with time zone, "order" api.lead_order, q api.search_text) TO leads_api;

REVOKE ALL ON FUNCTION api.list_scores(id uuid, "limit" api.page_size, cursor api.cursor) FROM PUBLIC;
GRANT ALL ON FUNCTION api.list_scores(id uuid, "limit" api.page_size, cursor api.cursor) TO leads_api;

REVOKE ALL ON FUNCTION api.list_signals(id uuid, "limit" api.page_size, cursor api.cursor) FROM PUBLIC;
GRANT ALL ON FUNCTION api.list_signals(id uuid, "limit" api.page_size, cursor api.cursor) TO leads_api;

REVOKE ALL ON FUNCTION api.object_text(VARIADIC members text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION api.operations() FROM PUBLIC;

REVOKE ALL ON FUNCTION api.openapi_headers() FROM PUBLIC;

REVOKE ALL ON FUNCTION api.release_version() FROM PUBLIC;

GRANT SELECT ON TABLE api.guide TO leads_exec;

GRANT SELECT ON TABLE api.problem TO leads_exec;

REVOKE ALL ON FUNCTION api.openapi_info() FROM PUBLIC;

REVOKE ALL ON FUNCTION api.schema_name(type text) FROM PUBLIC;

REVOKE ALL ON FUNCTION api.schema_reference(type text) FROM PUBLIC;

GRANT SELECT ON TABLE api.shape TO leads_exec;

REVOKE ALL ON FUNCTION api.operation_bodies() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.phone_pattern() FROM PUBLIC;
GRANT ALL ON FUNCTION app.phone_pattern() TO leads_exec;

REVOKE ALL ON FUNCTION app.text_pattern() FROM PUBLIC;
GRANT ALL ON FUNCTION app.text_pattern() TO leads_exec;

REVOKE ALL ON FUNCTION api.value_schema(type oid, checks text[], is_nullable boolean, is_input boolean, more text) FROM PUBLIC;

REVOKE ALL ON FUNCTION audit.actions() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.actions() TO leads_exec;
GRANT ALL ON FUNCTION audit.actions() TO leads_jobs;

GRANT SELECT ON TABLE api.parameter TO leads_exec;

REVOKE ALL ON FUNCTION api.operation_parameters() FROM PUBLIC;

REVOKE ALL ON FUNCTION api.operation_problems() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.page_answer(items text[], page_size integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.page_answer(items text[], page_size integer) TO leads_exec;

REVOKE ALL ON FUNCTION api.operation_successes() FROM PUBLIC;

GRANT SELECT ON TABLE api.tag TO leads_exec;

REVOKE ALL ON FUNCTION api.openapi_paths() FROM PUBLIC;

REVOKE ALL ON FUNCTION api.type_schema(type text) FROM PUBLIC;

GRANT SELECT ON TABLE api.named_schema TO leads_exec;

REVOKE ALL ON FUNCTION api.openapi_schemas() FROM PUBLIC;

REVOKE ALL ON FUNCTION api.openapi() FROM PUBLIC;
GRANT ALL ON FUNCTION api.openapi() TO leads_api;

REVOKE ALL ON FUNCTION api.preflight_form(request_headers text) FROM PUBLIC;
GRANT ALL ON FUNCTION api.preflight_form(request_headers text) TO leads_api;

REVOKE ALL ON FUNCTION app.lead_field_rule(kind text, max_length integer, is_nullable boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_field_rule(kind text, max_length integer, is_nullable boolean) TO leads_exec;
GRANT ALL ON FUNCTION app.lead_field_rule(kind text, max_length integer, is_nullable boolean) TO leads_intake;
GRANT ALL ON FUNCTION app.lead_field_rule(kind text, max_length integer, is_nullable boolean) TO leads_jobs;

GRANT SELECT ON TABLE app.lead_field TO leads_exec;
GRANT SELECT ON TABLE app.lead_field TO leads_intake;
GRANT SELECT ON TABLE app.lead_field TO leads_jobs;

REVOKE ALL ON FUNCTION api.problems() FROM PUBLIC;
GRANT ALL ON FUNCTION api.problems() TO leads_api;

REVOKE ALL ON FUNCTION api.push_lead(id uuid, idempotency_key api.idempotency_key, idempotency_wait integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.push_lead(id uuid, idempotency_key api.idempotency_key, idempotency_wait integer) TO leads_api;

REVOKE ALL ON FUNCTION api.read_instant(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION api.read_instant(value text) TO leads_api;

REVOKE ALL ON FUNCTION api.routes() FROM PUBLIC;
GRANT ALL ON FUNCTION api.routes() TO leads_api;

REVOKE ALL ON FUNCTION api.score_lead(id uuid, idempotency_key api.idempotency_key, idempotency_wait integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.score_lead(id uuid, idempotency_key api.idempotency_key, idempotency_wait integer) TO leads_api;

REVOKE ALL ON FUNCTION api.submit_form(payload text, media_type text, request_headers text, client_address text, query_fields text) FROM PUBLIC;
GRANT ALL ON FUNCTION api.submit_form(payload text, media_type text, request_headers text, client_address text, query_fields text) TO leads_api;

REVOKE ALL ON FUNCTION api.update_lead(id uuid, body text, if_match api.entity_tags, idempotency_key api.idempotency_key, idempotency_wait integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.update_lead(id uuid, body text, if_match api.entity_tags, idempotency_key api.idempotency_key, idempotency_wait integer) TO leads_api;

REVOKE ALL ON FUNCTION api.update_lead_details(id uuid, body text, if_match api.entity_tags, idempotency_key api.idempotency_key, idempotency_wait integer) FROM PUBLIC;
GRANT ALL ON FUNCTION api.update_lead_details(id uuid, body text, if_match api.entity_tags, idempotency_key api.idempotency_key, idempotency_wait integer) TO leads_api;

REVOKE ALL ON FUNCTION api.verify_audit_log(after api.seal_position, "limit" api.seal_count, head api.chain_head) FROM PUBLIC;
GRANT ALL ON FUNCTION api.verify_audit_log(after api.seal_position, "limit" api.seal_count, head api.chain_head) TO leads_api;

REVOKE ALL ON FUNCTION app.ascii_email(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.ascii_email(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.ascii_email(value text) TO leads_intake;
GRANT ALL ON FUNCTION app.ascii_email(value text) TO leads_jobs;
GRANT ALL ON FUNCTION app.ascii_email(value text) TO leads_eraser;

REVOKE ALL ON FUNCTION app.invisible() FROM PUBLIC;
GRANT ALL ON FUNCTION app.invisible() TO leads_exec;
GRANT ALL ON FUNCTION app.invisible() TO leads_jobs;
GRANT ALL ON FUNCTION app.invisible() TO leads_intake;
GRANT ALL ON FUNCTION app.invisible() TO leads_eraser;

REVOKE ALL ON FUNCTION app.clean_text(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.clean_text(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.clean_text(value text) TO leads_jobs;
GRANT ALL ON FUNCTION app.clean_text(value text) TO leads_intake;
GRANT ALL ON FUNCTION app.clean_text(value text) TO leads_eraser;

REVOKE ALL ON FUNCTION app.changed_details(base jsonb, patch jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.changed_details(base jsonb, patch jsonb) TO leads_exec;
GRANT ALL ON FUNCTION app.changed_details(base jsonb, patch jsonb) TO leads_intake;
GRANT ALL ON FUNCTION app.changed_details(base jsonb, patch jsonb) TO leads_jobs;

REVOKE ALL ON FUNCTION app.changed_leads(organization_id uuid, cursor text, updated_since timestamp with time zone, page_size integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.changed_leads(organization_id uuid, cursor text, updated_since timestamp with time zone, page_size integer) TO leads_exec;

REVOKE ALL ON FUNCTION app.character_note(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.character_note(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.character_note(value text) TO leads_intake;
GRANT ALL ON FUNCTION app.character_note(value text) TO leads_jobs;

REVOKE ALL ON FUNCTION app.claim_idempotency_key(organization_id uuid, idempotency_key text, wait integer, request text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.claim_idempotency_key(organization_id uuid, idempotency_key text, wait integer, request text) TO leads_exec;

REVOKE ALL ON FUNCTION app.code_point("character" text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.code_point("character" text) TO leads_exec;
GRANT ALL ON FUNCTION app.code_point("character" text) TO leads_intake;
GRANT ALL ON FUNCTION app.code_point("character" text) TO leads_jobs;

REVOKE ALL ON FUNCTION app.computed_lead_item(lead app.lead_values) FROM PUBLIC;
GRANT ALL ON FUNCTION app.computed_lead_item(lead app.lead_values) TO leads_exec;

REVOKE ALL ON FUNCTION app.contact_fault(organization_id uuid, has_name_and_phone boolean, had_only_these boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION app.contact_fault(organization_id uuid, has_name_and_phone boolean, had_only_these boolean) TO leads_exec;
GRANT ALL ON FUNCTION app.contact_fault(organization_id uuid, has_name_and_phone boolean, had_only_these boolean) TO leads_intake;
GRANT ALL ON FUNCTION app.contact_fault(organization_id uuid, has_name_and_phone boolean, had_only_these boolean) TO leads_jobs;

REVOKE ALL ON FUNCTION app.control_character(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.control_character(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.control_character(value text) TO leads_jobs;
GRANT ALL ON FUNCTION app.control_character(value text) TO leads_intake;

REVOKE ALL ON FUNCTION app.country_code(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.country_code(organization_id uuid) TO leads_exec;
GRANT ALL ON FUNCTION app.country_code(organization_id uuid) TO leads_jobs;
GRANT ALL ON FUNCTION app.country_code(organization_id uuid) TO leads_intake;

REVOKE ALL ON FUNCTION app.csv_cell(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.csv_cell(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.csv_cell(value text) TO leads_jobs;

REVOKE ALL ON FUNCTION app.cursor_content(cursor text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.cursor_content(cursor text) TO leads_exec;
GRANT ALL ON FUNCTION app.cursor_content(cursor text) TO leads_jobs;

REVOKE ALL ON FUNCTION app.cursor_text(content text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.cursor_text(content text) TO leads_exec;
GRANT ALL ON FUNCTION app.cursor_text(content text) TO leads_jobs;

REVOKE ALL ON FUNCTION scoring.is_signal_member(key text, value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.is_signal_member(key text, value jsonb) TO leads_exec;
GRANT ALL ON FUNCTION scoring.is_signal_member(key text, value jsonb) TO leads_jobs;
GRANT ALL ON FUNCTION scoring.is_signal_member(key text, value jsonb) TO leads_intake;

REVOKE ALL ON FUNCTION app.details_faults(details jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.details_faults(details jsonb) TO leads_exec;
GRANT ALL ON FUNCTION app.details_faults(details jsonb) TO leads_intake;
GRANT ALL ON FUNCTION app.details_faults(details jsonb) TO leads_jobs;

REVOKE ALL ON FUNCTION app.details_size_faults(details jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.details_size_faults(details jsonb) TO leads_exec;
GRANT ALL ON FUNCTION app.details_size_faults(details jsonb) TO leads_intake;
GRANT ALL ON FUNCTION app.details_size_faults(details jsonb) TO leads_jobs;

REVOKE ALL ON PROCEDURE app.drop_policies(IN of_table regclass) FROM PUBLIC;
GRANT ALL ON PROCEDURE app.drop_policies(IN of_table regclass) TO leads_auth;

REVOKE ALL ON PROCEDURE app.drop_triggers(IN of_table regclass) FROM PUBLIC;
GRANT ALL ON PROCEDURE app.drop_triggers(IN of_table regclass) TO leads_auth;

REVOKE ALL ON FUNCTION app.duplicate_keys(value json) FROM PUBLIC;
GRANT ALL ON FUNCTION app.duplicate_keys(value json) TO leads_exec;

REVOKE ALL ON FUNCTION app.export_headers(name text, format text, next_cursor text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.export_headers(name text, format text, next_cursor text) TO leads_exec;

REVOKE ALL ON FUNCTION app.export_page(lines text[], format text, columns text, cursor text, has_more boolean, last_at timestamp with time zone, last_id uuid, OUT body text, OUT next_cursor text, OUT row_count bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION app.export_page(lines text[], format text, columns text, cursor text, has_more boolean, last_at timestamp with time zone, last_id uuid, OUT body text, OUT next_cursor text, OUT row_count bigint) TO leads_exec;
GRANT ALL ON FUNCTION app.export_page(lines text[], format text, columns text, cursor text, has_more boolean, last_at timestamp with time zone, last_id uuid, OUT body text, OUT next_cursor text, OUT row_count bigint) TO leads_jobs;

REVOKE ALL ON FUNCTION app.exported_lead(lead app.lead_values, format text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.exported_lead(lead app.lead_values, format text) TO leads_exec;
GRANT ALL ON FUNCTION app.exported_lead(lead app.lead_values, format text) TO leads_jobs;

REVOKE ALL ON FUNCTION app.filtered_leads(organization_id uuid, stages text[], sources text[], emails text[], phone text, reference text, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.filtered_leads(organization_id uuid, stages text[], sources text[], emails text[], phone text, reference text, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) TO leads_exec;
GRANT ALL ON FUNCTION app.filtered_leads(organization_id uuid, stages text[], sources text[], emails text[], phone text, reference text, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) TO leads_jobs;

REVOKE ALL ON FUNCTION app.found_leads(organization_id uuid, words text[], stages text[], sources text[], before timestamp with time zone, before_id uuid, start_at timestamp with time zone, page_size integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.found_leads(organization_id uuid, words text[], stages text[], sources text[], before timestamp with time zone, before_id uuid, start_at timestamp with time zone, page_size integer) TO leads_exec;

REVOKE ALL ON FUNCTION app.has_words(name text, company text, email text, words text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.has_words(name text, company text, email text, words text[]) TO leads_exec;

REVOKE ALL ON FUNCTION app.is_etag_matched(if_match text, etag text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_etag_matched(if_match text, etag text) TO leads_exec;

REVOKE ALL ON FUNCTION app.is_plain_text(value text, max_length integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_plain_text(value text, max_length integer) TO leads_exec;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.idempotency_key TO leads_exec;
GRANT DELETE ON TABLE app.idempotency_key TO leads_jobs;
GRANT DELETE ON TABLE app.idempotency_key TO leads_eraser;

GRANT SELECT(organization_id) ON TABLE app.idempotency_key TO leads_jobs;
GRANT SELECT(organization_id) ON TABLE app.idempotency_key TO leads_eraser;

GRANT SELECT(key_digest) ON TABLE app.idempotency_key TO leads_jobs;

GRANT UPDATE(request_digest) ON TABLE app.idempotency_key TO leads_eraser;

GRANT UPDATE(status) ON TABLE app.idempotency_key TO leads_eraser;

GRANT SELECT(headers),UPDATE(headers) ON TABLE app.idempotency_key TO leads_eraser;

GRANT SELECT(body),UPDATE(body) ON TABLE app.idempotency_key TO leads_eraser;

GRANT SELECT(created_at) ON TABLE app.idempotency_key TO leads_jobs;

REVOKE ALL ON FUNCTION app.keep_answer(organization_id uuid, idempotency_key text, answer api.answer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.keep_answer(organization_id uuid, idempotency_key text, answer api.answer) TO leads_exec;

REVOKE ALL ON FUNCTION app.lead_change(lead app.lead_values) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_change(lead app.lead_values) TO leads_exec;

REVOKE ALL ON FUNCTION app.lead_details(lead app.lead_values) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_details(lead app.lead_values) TO leads_exec;

REVOKE ALL ON FUNCTION app.lead_etag(revision integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_etag(revision integer) TO leads_exec;

REVOKE ALL ON FUNCTION app.lead_export(organization_id uuid, format text, cursor text, stages text[], sources text[], emails text[], phone text, reference text, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_export(organization_id uuid, format text, cursor text, stages text[], sources text[], emails text[], phone text, reference text, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) TO leads_exec;
GRANT ALL ON FUNCTION app.lead_export(organization_id uuid, format text, cursor text, stages text[], sources text[], emails text[], phone text, reference text, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) TO leads_jobs;

REVOKE ALL ON FUNCTION app.lead_faults(organization_id uuid, fields jsonb, is_detail boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_faults(organization_id uuid, fields jsonb, is_detail boolean) TO leads_exec;
GRANT ALL ON FUNCTION app.lead_faults(organization_id uuid, fields jsonb, is_detail boolean) TO leads_intake;
GRANT ALL ON FUNCTION app.lead_faults(organization_id uuid, fields jsonb, is_detail boolean) TO leads_jobs;

REVOKE ALL ON FUNCTION app.lead_filter_faults(organization_id uuid, stages text[], sources text[], emails text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_filter_faults(organization_id uuid, stages text[], sources text[], emails text[]) TO leads_exec;
GRANT ALL ON FUNCTION app.lead_filter_faults(organization_id uuid, stages text[], sources text[], emails text[]) TO leads_jobs;

REVOKE ALL ON FUNCTION app.lead_from(fields jsonb, base app.lead_values) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_from(fields jsonb, base app.lead_values) TO leads_exec;
GRANT ALL ON FUNCTION app.lead_from(fields jsonb, base app.lead_values) TO leads_intake;
GRANT ALL ON FUNCTION app.lead_from(fields jsonb, base app.lead_values) TO leads_jobs;

REVOKE ALL ON FUNCTION app.lead_item(lead app.lead_values) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_item(lead app.lead_values) TO leads_exec;
GRANT ALL ON FUNCTION app.lead_item(lead app.lead_values) TO leads_jobs;
GRANT ALL ON FUNCTION app.lead_item(lead app.lead_values) TO leads_intake;

REVOKE ALL ON FUNCTION app.lead_whole(lead app.lead_values) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_whole(lead app.lead_values) TO leads_exec;
GRANT ALL ON FUNCTION app.lead_whole(lead app.lead_values) TO leads_jobs;

REVOKE ALL ON FUNCTION app.lead_words(name text, company text, email text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.lead_words(name text, company text, email text) TO leads_exec;
GRANT ALL ON FUNCTION app.lead_words(name text, company text, email text) TO leads_jobs;

REVOKE ALL ON FUNCTION app.leads_by_phone_or_reference(organization_id uuid, phone text, reference text, emails text[], stages text[], sources text[], before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.leads_by_phone_or_reference(organization_id uuid, phone text, reference text, emails text[], stages text[], sources text[], before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) TO leads_exec;

REVOKE ALL ON FUNCTION app.next_cursor(items text[], page_size integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.next_cursor(items text[], page_size integer) TO leads_exec;

REVOKE ALL ON PROCEDURE app.notify(IN channel text) FROM PUBLIC;
GRANT ALL ON PROCEDURE app.notify(IN channel text) TO leads_jobs;

REVOKE ALL ON FUNCTION app.order_faults("order" text, cursor text, filters text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.order_faults("order" text, cursor text, filters text[]) TO leads_exec;

REVOKE ALL ON FUNCTION app.page(items text[], page_size integer, next_cursor text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.page(items text[], page_size integer, next_cursor text) TO leads_exec;

REVOKE ALL ON FUNCTION app.page_bound(cursor text, end_at timestamp with time zone, OUT created_at timestamp with time zone, OUT id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.page_bound(cursor text, end_at timestamp with time zone, OUT created_at timestamp with time zone, OUT id uuid) TO leads_exec;
GRANT ALL ON FUNCTION app.page_bound(cursor text, end_at timestamp with time zone, OUT created_at timestamp with time zone, OUT id uuid) TO leads_jobs;

REVOKE ALL ON FUNCTION app.phone_filter_faults(phone text, reference text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.phone_filter_faults(phone text, reference text) TO leads_exec;
GRANT ALL ON FUNCTION app.phone_filter_faults(phone text, reference text) TO leads_jobs;

REVOKE ALL ON FUNCTION app.phone_key(value text, country_code text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.phone_key(value text, country_code text) TO leads_exec;
GRANT ALL ON FUNCTION app.phone_key(value text, country_code text) TO leads_jobs;
GRANT ALL ON FUNCTION app.phone_key(value text, country_code text) TO leads_intake;
GRANT ALL ON FUNCTION app.phone_key(value text, country_code text) TO leads_eraser;

REVOKE ALL ON FUNCTION app.phone_keys(value text, organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.phone_keys(value text, organization_id uuid) TO leads_exec;
GRANT ALL ON FUNCTION app.phone_keys(value text, organization_id uuid) TO leads_jobs;

REVOKE ALL ON FUNCTION app.plain_lead(organization_id uuid, fields jsonb, is_new boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION app.plain_lead(organization_id uuid, fields jsonb, is_new boolean) TO leads_exec;

REVOKE ALL ON FUNCTION app.punycode(label text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.punycode(label text) TO leads_exec;
GRANT ALL ON FUNCTION app.punycode(label text) TO leads_intake;
GRANT ALL ON FUNCTION app.punycode(label text) TO leads_jobs;
GRANT ALL ON FUNCTION app.punycode(label text) TO leads_eraser;

REVOKE ALL ON FUNCTION app.raise_faults(status integer, code text, errors json) FROM PUBLIC;
GRANT ALL ON FUNCTION app.raise_faults(status integer, code text, errors json) TO leads_exec;
GRANT ALL ON FUNCTION app.raise_faults(status integer, code text, errors json) TO leads_jobs;

REVOKE ALL ON FUNCTION app.raise_precondition_failed(if_match text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.raise_precondition_failed(if_match text) TO leads_exec;

REVOKE ALL ON FUNCTION app.read_email(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.read_email(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.read_email(value text) TO leads_jobs;

REVOKE ALL ON FUNCTION app.read_instant(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.read_instant(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.read_instant(value text) TO leads_intake;
GRANT ALL ON FUNCTION app.read_instant(value text) TO leads_jobs;

REVOKE ALL ON FUNCTION app.read_object(body text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.read_object(body text) TO leads_exec;

REVOKE ALL ON FUNCTION app.search_faults(q text, words text[], filters text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.search_faults(q text, words text[], filters text[]) TO leads_exec;

REVOKE ALL ON FUNCTION app.search_words(q text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.search_words(q text) TO leads_exec;

REVOKE ALL ON FUNCTION app.stage_names(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.stage_names(organization_id uuid) TO leads_exec;
GRANT ALL ON FUNCTION app.stage_names(organization_id uuid) TO leads_intake;
GRANT ALL ON FUNCTION app.stage_names(organization_id uuid) TO leads_jobs;

REVOKE ALL ON FUNCTION app.stage_filter_faults(organization_id uuid, stages text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.stage_filter_faults(organization_id uuid, stages text[]) TO leads_exec;
GRANT ALL ON FUNCTION app.stage_filter_faults(organization_id uuid, stages text[]) TO leads_jobs;

REVOKE ALL ON FUNCTION app.tg_lead__stamp() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.tg_organization__add_pipeline_stages() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.tg_pipeline_stage__keep_new() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.trim_text(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.trim_text(value text) TO leads_auth;
GRANT ALL ON FUNCTION app.trim_text(value text) TO leads_exec;
GRANT ALL ON FUNCTION app.trim_text(value text) TO leads_jobs;
GRANT ALL ON FUNCTION app.trim_text(value text) TO leads_audit;
GRANT ALL ON FUNCTION app.trim_text(value text) TO leads_eraser;
GRANT ALL ON FUNCTION app.trim_text(value text) TO leads_intake;

REVOKE ALL ON FUNCTION app.unindexed_leads(organization_id uuid, "limit" integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.unindexed_leads(organization_id uuid, "limit" integer) TO leads_exec;

REVOKE ALL ON FUNCTION audit.chain_verdict(organization_id uuid, after bigint, "limit" integer, head api.chain_head) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.chain_verdict(organization_id uuid, after bigint, "limit" integer, head api.chain_head) TO leads_exec;
GRANT ALL ON FUNCTION audit.chain_verdict(organization_id uuid, after bigint, "limit" integer, head api.chain_head) TO leads_jobs;

REVOKE ALL ON FUNCTION audit.create_partitions(year integer) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.create_partitions(year integer) TO leads_jobs;

REVOKE ALL ON FUNCTION audit.details_change(old_details jsonb, new_details jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.details_change(old_details jsonb, new_details jsonb) TO leads_audit;

REVOKE ALL ON FUNCTION audit.erase_events(organization_id uuid, lead_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION audit.erase_organization(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.erase_organization(organization_id uuid) TO leads_jobs;

REVOKE ALL ON FUNCTION audit.erase_own_lead(lead_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.erase_own_lead(lead_id uuid) TO leads_exec;

REVOKE ALL ON FUNCTION audit.erase_submissions(organization_id uuid, lead_id uuid, email text, phone_key text, country_code text) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.erase_submissions(organization_id uuid, lead_id uuid, email text, phone_key text, country_code text) TO leads_jobs;

REVOKE ALL ON FUNCTION audit.erased_payload(payload json) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.erased_payload(payload json) TO leads_eraser;
GRANT ALL ON FUNCTION audit.erased_payload(payload json) TO leads_exec;
GRANT ALL ON FUNCTION audit.erased_payload(payload json) TO leads_jobs;

REVOKE ALL ON FUNCTION audit.event_export(organization_id uuid, format text, cursor text, actions text[], sources text[], lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.event_export(organization_id uuid, format text, cursor text, actions text[], sources text[], lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) TO leads_exec;
GRANT ALL ON FUNCTION audit.event_export(organization_id uuid, format text, cursor text, actions text[], sources text[], lead_id uuid, start_at timestamp with time zone, end_at timestamp with time zone, OUT body text, OUT next_cursor text, OUT row_count bigint, OUT lead_ids uuid[]) TO leads_jobs;

REVOKE ALL ON FUNCTION audit.event_filter_faults(actions text[], sources text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.event_filter_faults(actions text[], sources text[]) TO leads_exec;
GRANT ALL ON FUNCTION audit.event_filter_faults(actions text[], sources text[]) TO leads_jobs;

REVOKE ALL ON FUNCTION audit.event_hash("position" bigint, id uuid, organization_id uuid, action text, source text, correlation_id text, lead_id uuid, payload_digest bytea, created_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.event_hash("position" bigint, id uuid, organization_id uuid, action text, source text, correlation_id text, lead_id uuid, payload_digest bytea, created_at timestamp with time zone) TO leads_exec;
GRANT ALL ON FUNCTION audit.event_hash("position" bigint, id uuid, organization_id uuid, action text, source text, correlation_id text, lead_id uuid, payload_digest bytea, created_at timestamp with time zone) TO leads_jobs;

REVOKE ALL ON FUNCTION audit.event_text(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.event_text(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) TO leads_exec;
GRANT ALL ON FUNCTION audit.event_text(id uuid, organization_id uuid, action text, source text, correlation_id text, payload json, created_at timestamp with time zone) TO leads_jobs;

REVOKE ALL ON FUNCTION audit.filtered_events(organization_id uuid, actions text[], sources text[], event_lead_id uuid, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.filtered_events(organization_id uuid, actions text[], sources text[], event_lead_id uuid, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) TO leads_exec;
GRANT ALL ON FUNCTION audit.filtered_events(organization_id uuid, actions text[], sources text[], event_lead_id uuid, before timestamp with time zone, before_id uuid, start_at timestamp with time zone, "limit" integer) TO leads_jobs;

REVOKE ALL ON FUNCTION audit.is_about_person(content jsonb, email text, phone_key text, country_code text) FROM PUBLIC;

REVOKE ALL ON FUNCTION audit.is_migrating_login() FROM PUBLIC;

REVOKE ALL ON FUNCTION audit.position_before(organization_id uuid, instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.position_before(organization_id uuid, instant timestamp with time zone) TO leads_exec;

REVOKE ALL ON FUNCTION audit.record_erasure(organization_id uuid, lead_id uuid, about text) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.record_erasure(organization_id uuid, lead_id uuid, about text) TO leads_eraser;

REVOKE ALL ON FUNCTION audit.seal_mark(organization_id uuid, "position" bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION audit.seal_mark(organization_id uuid, "position" bigint) TO leads_exec;

REVOKE ALL ON FUNCTION audit.tg_event__check_erasure() FROM PUBLIC;

REVOKE ALL ON FUNCTION audit.tg_lead__record() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.tg_lead__record() TO leads_owner;

REVOKE ALL ON FUNCTION audit.tg_record() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.tg_record() TO leads_owner;
GRANT ALL ON FUNCTION audit.tg_record() TO leads_auth;

REVOKE ALL ON FUNCTION audit.tg_refuse() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.tg_refuse() TO leads_auth;

REVOKE ALL ON FUNCTION audit.tg_signal__record() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.tg_signal__record() TO leads_owner;

REVOKE ALL ON FUNCTION audit.tg_sync__record() FROM PUBLIC;
GRANT ALL ON FUNCTION audit.tg_sync__record() TO leads_owner;

REVOKE ALL ON FUNCTION audit.write_event(organization_id uuid, action text, lead_id uuid, about text) FROM PUBLIC;

REVOKE ALL ON FUNCTION auth.add_form_key(organization_id uuid, name text, digest bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION auth.add_form_key(organization_id uuid, name text, digest bytea) TO leads_exec;
GRANT ALL ON FUNCTION auth.add_form_key(organization_id uuid, name text, digest bytea) TO leads_jobs;

REVOKE ALL ON FUNCTION auth.analyst_organization_id() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.analyst_organization_id() TO leads_bi;

REVOKE ALL ON FUNCTION auth.enter(key_digest text, request_id text, scope text, read_only boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION auth.enter(key_digest text, request_id text, scope text, read_only boolean) TO leads_api;

REVOKE ALL ON FUNCTION auth.key_id() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.key_id() TO leads_audit;
GRANT ALL ON FUNCTION auth.key_id() TO leads_intake;

REVOKE ALL ON FUNCTION crm.account_in_force(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.account_in_force(organization_id uuid) TO leads_exec;

REVOKE ALL ON FUNCTION crm.begin_call(organization_id uuid, sync_id uuid, attempt integer, display_name text, email text) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.begin_call(organization_id uuid, sync_id uuid, attempt integer, display_name text, email text) TO leads_worker;

REVOKE ALL ON FUNCTION crm.connections_without_key(key_ids text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.connections_without_key(key_ids text[]) TO leads_worker;

REVOKE ALL ON FUNCTION crm.contact(lead app.lead_values, sync_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION crm.lease_syncs(key_ids text[], batch integer, running jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.lease_syncs(key_ids text[], batch integer, running jsonb) TO leads_worker;

REVOKE ALL ON FUNCTION crm.open_until(organization_id uuid, sync_id uuid, settle_seconds integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION crm.push_answer(lead_id uuid, sync crm.sync_values) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.push_answer(lead_id uuid, sync crm.sync_values) TO leads_exec;

REVOKE ALL ON FUNCTION crm.push_skipped(organization_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION crm.request_push(organization_id uuid, lead_id uuid, is_asked boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.request_push(organization_id uuid, lead_id uuid, is_asked boolean) TO leads_exec;

REVOKE ALL ON FUNCTION crm.seconds_until_due(key_ids text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.seconds_until_due(key_ids text[]) TO leads_worker;

REVOKE ALL ON FUNCTION crm.settle_attempt(organization_id uuid, sync_id uuid, attempt integer, outcome text, external_id text, http_status integer, message text, retry_after double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.settle_attempt(organization_id uuid, sync_id uuid, attempt integer, outcome text, external_id text, http_status integer, message text, retry_after double precision) TO leads_worker;

REVOKE ALL ON FUNCTION crm.tg_lead__push() FROM PUBLIC;
GRANT ALL ON FUNCTION crm.tg_lead__push() TO leads_owner;

REVOKE ALL ON FUNCTION crm.wake_worker(organization_id uuid, lead_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION crm.wake_worker(organization_id uuid, lead_id uuid) TO leads_exec;
GRANT ALL ON FUNCTION crm.wake_worker(organization_id uuid, lead_id uuid) TO leads_intake;

REVOKE ALL ON FUNCTION intake.allowed_origin(origins text[], headers jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.allowed_origin(origins text[], headers jsonb) TO leads_intake;

REVOKE ALL ON FUNCTION intake.answers(content jsonb, preset text) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.answers(content jsonb, preset text) TO leads_intake;
GRANT ALL ON FUNCTION intake.answers(content jsonb, preset text) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.client_network(address text) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.client_network(address text) TO leads_intake;

REVOKE ALL ON FUNCTION intake.content(payload text, media_type text, query text) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.content(payload text, media_type text, query text) TO leads_intake;
GRANT ALL ON FUNCTION intake.content(payload text, media_type text, query text) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.create_form(organization_id uuid, settings jsonb, OUT form_id uuid, OUT token text) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.create_form(organization_id uuid, settings jsonb, OUT form_id uuid, OUT token text) TO leads_exec;
GRANT ALL ON FUNCTION intake.create_form(organization_id uuid, settings jsonb, OUT form_id uuid, OUT token text) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.draft(organization_id uuid, form_id uuid, content jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.draft(organization_id uuid, form_id uuid, content jsonb) TO leads_intake;
GRANT ALL ON FUNCTION intake.draft(organization_id uuid, form_id uuid, content jsonb) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.encrypted(value bytea, claim bytea, nonce bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.encrypted(value bytea, claim bytea, nonce bytea) TO leads_intake;
GRANT ALL ON FUNCTION intake.encrypted(value bytea, claim bytea, nonce bytea) TO leads_exec;
GRANT ALL ON FUNCTION intake.encrypted(value bytea, claim bytea, nonce bytea) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.entries(content jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.entries(content jsonb) TO leads_intake;
GRANT ALL ON FUNCTION intake.entries(content jsonb) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.form_answer(redirect_url text, origins text[], headers jsonb, media_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.form_answer(redirect_url text, origins text[], headers jsonb, media_type text) TO leads_intake;

REVOKE ALL ON FUNCTION intake.form_faults(organization_id uuid, settings jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.form_faults(organization_id uuid, settings jsonb) TO leads_exec;
GRANT ALL ON FUNCTION intake.form_faults(organization_id uuid, settings jsonb) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.hmac_sha256(key bytea, message bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.hmac_sha256(key bytea, message bytea) TO leads_intake;
GRANT ALL ON FUNCTION intake.hmac_sha256(key bytea, message bytea) TO leads_exec;
GRANT ALL ON FUNCTION intake.hmac_sha256(key bytea, message bytea) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.machine_name(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.machine_name(value text) TO leads_intake;
GRANT ALL ON FUNCTION intake.machine_name(value text) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.make_lead(organization_id uuid, form_id uuid, draft jsonb, OUT outcome text, OUT lead_id uuid, OUT faults jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.make_lead(organization_id uuid, form_id uuid, draft jsonb, OUT outcome text, OUT lead_id uuid, OUT faults jsonb) TO leads_intake;
GRANT ALL ON FUNCTION intake.make_lead(organization_id uuid, form_id uuid, draft jsonb, OUT outcome text, OUT lead_id uuid, OUT faults jsonb) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.mapped_target(mapping jsonb, path text, label text, type text) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.mapped_target(mapping jsonb, path text, label text, type text) TO leads_intake;
GRANT ALL ON FUNCTION intake.mapped_target(mapping jsonb, path text, label text, type text) TO leads_jobs;

REVOKE ALL ON FUNCTION intake.signature_fault(kind text, secret bytea, headers jsonb, payload text, content jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.signature_fault(kind text, secret bytea, headers jsonb, payload text, content jsonb) TO leads_intake;

REVOKE ALL ON FUNCTION intake.usual_target(name text, value text) FROM PUBLIC;
GRANT ALL ON FUNCTION intake.usual_target(name text, value text) TO leads_intake;
GRANT ALL ON FUNCTION intake.usual_target(name text, value text) TO leads_jobs;

REVOKE ALL ON FUNCTION scoring.clean_value(value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.clean_value(value jsonb) TO leads_exec;
GRANT ALL ON FUNCTION scoring.clean_value(value jsonb) TO leads_intake;
GRANT ALL ON FUNCTION scoring.clean_value(value jsonb) TO leads_jobs;

REVOKE ALL ON FUNCTION scoring.compute_scores(organization_id uuid, lead_ids uuid[], instants timestamp with time zone[], model jsonb, counts_future boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.compute_scores(organization_id uuid, lead_ids uuid[], instants timestamp with time zone[], model jsonb, counts_future boolean) TO leads_exec;
GRANT ALL ON FUNCTION scoring.compute_scores(organization_id uuid, lead_ids uuid[], instants timestamp with time zone[], model jsonb, counts_future boolean) TO leads_jobs;
GRANT ALL ON FUNCTION scoring.compute_scores(organization_id uuid, lead_ids uuid[], instants timestamp with time zone[], model jsonb, counts_future boolean) TO leads_intake;

REVOKE ALL ON FUNCTION scoring.is_decimal(value jsonb, low numeric, high numeric) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.is_decimal(value jsonb, low numeric, high numeric) TO leads_exec;
GRANT ALL ON FUNCTION scoring.is_decimal(value jsonb, low numeric, high numeric) TO leads_jobs;

REVOKE ALL ON FUNCTION scoring.is_model(document jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.is_model(document jsonb) TO leads_exec;
GRANT ALL ON FUNCTION scoring.is_model(document jsonb) TO leads_jobs;

REVOKE ALL ON FUNCTION scoring.is_signal_value(value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.is_signal_value(value jsonb) TO leads_exec;
GRANT ALL ON FUNCTION scoring.is_signal_value(value jsonb) TO leads_jobs;
GRANT ALL ON FUNCTION scoring.is_signal_value(value jsonb) TO leads_intake;

REVOKE ALL ON FUNCTION scoring.model_faults(document jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.model_faults(document jsonb) TO leads_exec;
GRANT ALL ON FUNCTION scoring.model_faults(document jsonb) TO leads_jobs;

GRANT SELECT ON TABLE scoring.default_model TO leads_exec;
GRANT SELECT ON TABLE scoring.default_model TO leads_intake;
GRANT SELECT ON TABLE scoring.default_model TO leads_jobs;

GRANT SELECT ON TABLE scoring.model TO leads_exec;
GRANT SELECT ON TABLE scoring.model TO leads_intake;
GRANT SELECT ON TABLE scoring.model TO leads_jobs;
GRANT DELETE ON TABLE scoring.model TO leads_eraser;

GRANT INSERT(organization_id) ON TABLE scoring.model TO leads_jobs;
GRANT SELECT(organization_id) ON TABLE scoring.model TO leads_eraser;

GRANT INSERT(version) ON TABLE scoring.model TO leads_jobs;

GRANT UPDATE(state) ON TABLE scoring.model TO leads_jobs;

GRANT INSERT(document),UPDATE(document) ON TABLE scoring.model TO leads_jobs;

GRANT UPDATE(activated_at) ON TABLE scoring.model TO leads_jobs;

REVOKE ALL ON FUNCTION scoring.model_in_force(organization_id uuid, OUT model text, OUT model_version integer, OUT document jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.model_in_force(organization_id uuid, OUT model text, OUT model_version integer, OUT document jsonb) TO leads_exec;
GRANT ALL ON FUNCTION scoring.model_in_force(organization_id uuid, OUT model text, OUT model_version integer, OUT document jsonb) TO leads_jobs;
GRANT ALL ON FUNCTION scoring.model_in_force(organization_id uuid, OUT model text, OUT model_version integer, OUT document jsonb) TO leads_intake;

REVOKE ALL ON FUNCTION scoring.score_lead(organization_id uuid, lead_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.score_lead(organization_id uuid, lead_id uuid) TO leads_exec;
GRANT ALL ON FUNCTION scoring.score_lead(organization_id uuid, lead_id uuid) TO leads_intake;
GRANT ALL ON FUNCTION scoring.score_lead(organization_id uuid, lead_id uuid) TO leads_jobs;

REVOKE ALL ON FUNCTION scoring.value_fault(value jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.value_fault(value jsonb) TO leads_exec;
GRANT ALL ON FUNCTION scoring.value_fault(value jsonb) TO leads_intake;

REVOKE ALL ON FUNCTION scoring.signal_faults(fields jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.signal_faults(fields jsonb) TO leads_exec;

REVOKE ALL ON FUNCTION scoring.signal_item(id uuid, organization_id uuid, lead_id uuid, type text, value jsonb, observed_at timestamp with time zone, dedupe_key text, created_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION scoring.signal_item(id uuid, organization_id uuid, lead_id uuid, type text, value jsonb, observed_at timestamp with time zone, dedupe_key text, created_at timestamp with time zone) TO leads_exec;

REVOKE ALL ON FUNCTION scoring.tg_lead__check_score() FROM PUBLIC;

REVOKE ALL ON FUNCTION scoring.tg_lead__keep_score() FROM PUBLIC;

REVOKE ALL ON FUNCTION scoring.tg_score__apply() FROM PUBLIC;

REVOKE ALL ON FUNCTION scoring.tg_score__check() FROM PUBLIC;

GRANT SELECT ON TABLE app.lead_word TO leads_exec;
GRANT SELECT,INSERT,DELETE ON TABLE app.lead_word TO leads_jobs;
GRANT DELETE ON TABLE app.lead_word TO leads_eraser;

GRANT SELECT(organization_id) ON TABLE app.lead_word TO leads_eraser;

GRANT SELECT(lead_id) ON TABLE app.lead_word TO leads_eraser;

GRANT SELECT ON TABLE app.unindexed_lead TO leads_exec;
GRANT SELECT,INSERT,DELETE ON TABLE app.unindexed_lead TO leads_jobs;
GRANT DELETE ON TABLE app.unindexed_lead TO leads_eraser;

GRANT SELECT(organization_id) ON TABLE app.unindexed_lead TO leads_eraser;

GRANT SELECT(lead_id) ON TABLE app.unindexed_lead TO leads_eraser;

GRANT SELECT ON TABLE bi.lead_changes TO leads_bi;

GRANT SELECT ON TABLE bi.leads TO leads_bi;

GRANT SELECT ON TABLE bi.pipeline_daily TO leads_bi;

GRANT SELECT ON TABLE bi.score_calibration TO leads_bi;

GRANT SELECT ON TABLE bi.source_performance TO leads_bi;

GRANT SELECT ON TABLE bi.stage_history TO leads_bi;

GRANT SELECT ON TABLE crm.vendor TO leads_jobs;

GRANT SELECT,INSERT ON TABLE intake.client TO leads_intake;
GRANT DELETE ON TABLE intake.client TO leads_jobs;
GRANT DELETE ON TABLE intake.client TO leads_eraser;

GRANT SELECT(organization_id) ON TABLE intake.client TO leads_jobs;
GRANT SELECT(organization_id) ON TABLE intake.client TO leads_eraser;

GRANT SELECT(form_id) ON TABLE intake.client TO leads_jobs;

GRANT SELECT(address) ON TABLE intake.client TO leads_jobs;

GRANT UPDATE(free_at) ON TABLE intake.client TO leads_intake;
GRANT SELECT(free_at) ON TABLE intake.client TO leads_jobs;

GRANT SELECT,DELETE ON TABLE intake.submission TO leads_jobs;
GRANT DELETE ON TABLE intake.submission TO leads_eraser;

GRANT SELECT(organization_id),INSERT(organization_id) ON TABLE intake.submission TO leads_intake;
GRANT SELECT(organization_id) ON TABLE intake.submission TO leads_exec;
GRANT SELECT(organization_id) ON TABLE intake.submission TO leads_eraser;

GRANT SELECT(id),INSERT(id) ON TABLE intake.submission TO leads_intake;
GRANT SELECT(id) ON TABLE intake.submission TO leads_exec;

GRANT SELECT(form_id),INSERT(form_id) ON TABLE intake.submission TO leads_intake;
GRANT SELECT(form_id) ON TABLE intake.submission TO leads_exec;

GRANT SELECT(event_digest),INSERT(event_digest),UPDATE(event_digest) ON TABLE intake.submission TO leads_intake;

GRANT SELECT(content_digest),INSERT(content_digest) ON TABLE intake.submission TO leads_intake;

GRANT SELECT(outcome),INSERT(outcome),UPDATE(outcome) ON TABLE intake.submission TO leads_intake;
GRANT SELECT(outcome) ON TABLE intake.submission TO leads_exec;
GRANT UPDATE(outcome) ON TABLE intake.submission TO leads_jobs;

GRANT UPDATE(lead_id) ON TABLE intake.submission TO leads_intake;
GRANT SELECT(lead_id) ON TABLE intake.submission TO leads_exec;
GRANT UPDATE(lead_id) ON TABLE intake.submission TO leads_jobs;
GRANT SELECT(lead_id) ON TABLE intake.submission TO leads_eraser;

GRANT INSERT(content),UPDATE(content) ON TABLE intake.submission TO leads_intake;
GRANT SELECT(content) ON TABLE intake.submission TO leads_exec;
GRANT UPDATE(content) ON TABLE intake.submission TO leads_jobs;
GRANT SELECT(content) ON TABLE intake.submission TO leads_eraser;

GRANT INSERT(faults),UPDATE(faults) ON TABLE intake.submission TO leads_intake;
GRANT SELECT(faults) ON TABLE intake.submission TO leads_exec;
GRANT UPDATE(faults) ON TABLE intake.submission TO leads_jobs;

GRANT SELECT(created_at) ON TABLE intake.submission TO leads_exec;

GRANT SELECT ON TABLE scoring.score TO leads_exec;
GRANT SELECT ON TABLE scoring.score TO leads_intake;
GRANT SELECT ON TABLE scoring.score TO leads_jobs;
GRANT DELETE ON TABLE scoring.score TO leads_eraser;

GRANT INSERT(organization_id) ON TABLE scoring.score TO leads_exec;
GRANT INSERT(organization_id) ON TABLE scoring.score TO leads_intake;
GRANT INSERT(organization_id) ON TABLE scoring.score TO leads_jobs;
GRANT SELECT(organization_id) ON TABLE scoring.score TO leads_eraser;

GRANT INSERT(lead_id) ON TABLE scoring.score TO leads_exec;
GRANT INSERT(lead_id) ON TABLE scoring.score TO leads_intake;
GRANT INSERT(lead_id) ON TABLE scoring.score TO leads_jobs;
GRANT SELECT(lead_id) ON TABLE scoring.score TO leads_eraser;

GRANT INSERT(kind) ON TABLE scoring.score TO leads_exec;
GRANT INSERT(kind) ON TABLE scoring.score TO leads_intake;
GRANT INSERT(kind) ON TABLE scoring.score TO leads_jobs;

GRANT INSERT(lead_score) ON TABLE scoring.score TO leads_exec;
GRANT INSERT(lead_score) ON TABLE scoring.score TO leads_intake;
GRANT INSERT(lead_score) ON TABLE scoring.score TO leads_jobs;

GRANT INSERT(ai_reasoning) ON TABLE scoring.score TO leads_exec;
GRANT INSERT(ai_reasoning) ON TABLE scoring.score TO leads_intake;
GRANT INSERT(ai_reasoning) ON TABLE scoring.score TO leads_jobs;

GRANT INSERT(model) ON TABLE scoring.score TO leads_exec;
GRANT INSERT(model) ON TABLE scoring.score TO leads_intake;
GRANT INSERT(model) ON TABLE scoring.score TO leads_jobs;

GRANT INSERT(model_version) ON TABLE scoring.score TO leads_exec;
GRANT INSERT(model_version) ON TABLE scoring.score TO leads_intake;
GRANT INSERT(model_version) ON TABLE scoring.score TO leads_jobs;

GRANT INSERT(base) ON TABLE scoring.score TO leads_exec;
GRANT INSERT(base) ON TABLE scoring.score TO leads_intake;
GRANT INSERT(base) ON TABLE scoring.score TO leads_jobs;

GRANT INSERT(contributions) ON TABLE scoring.score TO leads_exec;
GRANT INSERT(contributions) ON TABLE scoring.score TO leads_intake;
GRANT INSERT(contributions) ON TABLE scoring.score TO leads_jobs;

GRANT INSERT(created_at) ON TABLE scoring.score TO leads_exec;
GRANT INSERT(created_at) ON TABLE scoring.score TO leads_intake;
GRANT INSERT(created_at) ON TABLE scoring.score TO leads_jobs;

GRANT SELECT ON TABLE scoring.signal TO leads_exec;
GRANT SELECT ON TABLE scoring.signal TO leads_intake;
GRANT SELECT ON TABLE scoring.signal TO leads_jobs;
GRANT DELETE ON TABLE scoring.signal TO leads_eraser;

GRANT INSERT(id) ON TABLE scoring.signal TO leads_exec;
GRANT INSERT(id) ON TABLE scoring.signal TO leads_intake;
GRANT INSERT(id) ON TABLE scoring.signal TO leads_jobs;

GRANT INSERT(organization_id) ON TABLE scoring.signal TO leads_exec;
GRANT INSERT(organization_id) ON TABLE scoring.signal TO leads_intake;
GRANT INSERT(organization_id) ON TABLE scoring.signal TO leads_jobs;
GRANT SELECT(organization_id) ON TABLE scoring.signal TO leads_eraser;

GRANT INSERT(lead_id) ON TABLE scoring.signal TO leads_exec;
GRANT INSERT(lead_id) ON TABLE scoring.signal TO leads_intake;
GRANT INSERT(lead_id) ON TABLE scoring.signal TO leads_jobs;
GRANT SELECT(lead_id) ON TABLE scoring.signal TO leads_eraser;

GRANT INSERT(type) ON TABLE scoring.signal TO leads_exec;
GRANT INSERT(type) ON TABLE scoring.signal TO leads_intake;
GRANT INSERT(type) ON TABLE scoring.signal TO leads_jobs;

GRANT INSERT(value) ON TABLE scoring.signal TO leads_exec;
GRANT INSERT(value) ON TABLE scoring.signal TO leads_intake;
GRANT INSERT(value) ON TABLE scoring.signal TO leads_jobs;

GRANT INSERT(observed_at) ON TABLE scoring.signal TO leads_exec;
GRANT INSERT(observed_at) ON TABLE scoring.signal TO leads_intake;
GRANT INSERT(observed_at) ON TABLE scoring.signal TO leads_jobs;

GRANT INSERT(dedupe_key) ON TABLE scoring.signal TO leads_exec;
GRANT INSERT(dedupe_key) ON TABLE scoring.signal TO leads_intake;
GRANT INSERT(dedupe_key) ON TABLE scoring.signal TO leads_jobs;

REVOKE ALL ON FUNCTION admin.crm_connections(organization_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION admin.crm_connections(organization_id uuid) TO leads_operator;

REVOKE ALL ON PROCEDURE api.document(IN function text, IN tag text, IN request text, IN rule json, IN answer text, IN form text, IN statuses integer[], IN headers text[], IN problems text[], IN parameters json, IN examples json) FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE leads_audit REVOKE ALL ON FUNCTIONS FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE leads_auth REVOKE ALL ON FUNCTIONS FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE leads_eraser REVOKE ALL ON FUNCTIONS FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE leads_exec REVOKE ALL ON FUNCTIONS FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE leads_intake REVOKE ALL ON FUNCTIONS FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE leads_jobs REVOKE ALL ON FUNCTIONS FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE leads_owner REVOKE ALL ON FUNCTIONS FROM PUBLIC;

-- the rows of api.problem
-- {"raised_by":"22003","status":422,"code":"validation_failed","title":"Validation failed","detail":"The body contains a number that is out of range.","field":"body","field_code":"out_of_range"}
-- {"raised_by":"22P02","status":400,"code":"invalid_body","title":"Invalid body","detail":"The body is not valid JSON.","field":"body","field_code":"invalid_json"}
-- {"raised_by":"22P05","status":400,"code":"invalid_body","title":"Invalid body","detail":"The body contains a NUL character (\\u0000). Remove it.","field":"body","field_code":"nul_character"}
-- {"raised_by":"25006","status":500,"code":"internal","title":"Internal error","detail":"An error occurred in the server. Report it with the request_id.","field":null,"field_code":null}
-- {"raised_by":"40001","status":503,"code":"unavailable","title":"Unavailable","detail":"The database is busy. Nothing was done. Try again.","field":null,"field_code":null}
-- {"raised_by":"40P01","status":503,"code":"unavailable","title":"Unavailable","detail":"The database is busy. Nothing was done. Try again.","field":null,"field_code":null}
-- {"raised_by":"54000","status":503,"code":"unavailable","title":"Unavailable","detail":"The database is busy. Nothing was done. Try again.","field":null,"field_code":null}
-- {"raised_by":"54001","status":400,"code":"invalid_body","title":"Invalid body","detail":"The body is nested more than 32 levels deep, or it has more than 500 objects and arrays.","field":"body","field_code":"too_deep"}
-- {"raised_by":"55P03","status":503,"code":"unavailable","title":"Unavailable","detail":"The database is busy. Nothing was done. Try again.","field":null,"field_code":null}
-- {"raised_by":"57014","status":503,"code":"unavailable","title":"Unavailable","detail":"The request took too long. Nothing was done. Try again.","field":null,"field_code":null}
-- {"raised_by":"any_of_has_at_most_10_values","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This can have at most 10 values.","field":"filter","field_code":"too_many_values"}
-- {"raised_by":"chain_head_is_position_and_hash","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This must be the head of an earlier response: a position, a colon and 64 hexadecimal digits.","field":"head","field_code":"invalid_head"}
-- {"raised_by":"crm_not_configured","status":409,"code":"crm_not_configured","title":"CRM not configured","detail":"The organization has no connection to a CRM. An operator can create one with: leads crm connect","field":null,"field_code":null}
-- {"raised_by":"crm_outcome_unknown","status":409,"code":"crm_outcome_unknown","title":"Outcome unknown","detail":"The CRM may already have a record of this lead, and its search cannot tell. Nothing was sent. An operator must check the CRM and then run: leads crm retry","field":null,"field_code":null}
-- {"raised_by":"crm_rejected","status":502,"code":"crm_rejected","title":"CRM rejected the lead","detail":"The CRM rejected the lead. Fix the problem that it reports and push the lead again.","field":null,"field_code":null}
-- {"raised_by":"crm_unavailable","status":502,"code":"crm_unavailable","title":"CRM unavailable","detail":"The CRM was not reachable for a day. Push the lead again.","field":null,"field_code":null}
-- {"raised_by":"cursor_expired","status":400,"code":"cursor_expired","title":"Cursor expired","detail":"The cursor is of another database, or the database was restored to an earlier time. Read all leads again, and begin a new walk with updated_since.","field":null,"field_code":null}
-- {"raised_by":"cursor_is_well_formed","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This is not a cursor. Send the next_cursor of the previous page unchanged, or leave it out for the first page.","field":"cursor","field_code":"invalid_cursor"}
-- {"raised_by":"entity_tags_are_well_formed","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This must be * or entity tags as ETag returned them, with their double quotes.","field":"If-Match","field_code":"invalid_entity_tag"}
-- {"raised_by":"erased","status":409,"code":"erased","title":"Erased","detail":"The request with this Idempotency-Key succeeded earlier, and its lead was erased later. Nothing was changed now. Use a new key for a new request.","field":null,"field_code":null}
-- {"raised_by":"export_cursor_is_well_formed","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This is not a cursor of an export.","field":"cursor","field_code":"invalid_cursor"}
-- {"raised_by":"export_format_is_known","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This must be ndjson or csv.","field":"format","field_code":"unknown_format"}
-- {"raised_by":"head_too_large","status":431,"code":"head_too_large","title":"Head too large","detail":"The request line and headers have at most 32 KiB, and 100 headers.","field":null,"field_code":null}
-- {"raised_by":"idempotency_in_progress","status":409,"code":"idempotency_in_progress","title":"Request in progress","detail":"A request with this Idempotency-Key is still running. Repeat the request in a moment.","field":null,"field_code":null}
-- {"raised_by":"idempotency_key_is_1_to_255_printable_characters","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This must be 1 to 255 printable ASCII characters.","field":"Idempotency-Key","field_code":"invalid_idempotency_key"}
-- {"raised_by":"idempotency_key_reused","status":422,"code":"idempotency_key_reused","title":"Idempotency key reused","detail":"This Idempotency-Key was used for another request within the last 24 hours. Use a new key for a new request.","field":null,"field_code":null}
-- {"raised_by":"instant_is_date_or_has_offset","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This must be a date such as 2026-04-27 (midnight UTC), or a date and time with Z or an offset such as 2026-04-27T13:22:05Z.","field":"start_at","field_code":"invalid_timestamp"}
-- {"raised_by":"insufficient_scope","status":403,"code":"insufficient_scope","title":"Insufficient scope","detail":"The key does not have the required scope. Use a key that has it.","field":null,"field_code":null}
-- {"raised_by":"internal","status":500,"code":"internal","title":"Internal error","detail":"An error occurred in the server. Report it with the request_id.","field":null,"field_code":null}
-- {"raised_by":"invalid_body","status":400,"code":"invalid_body","title":"Invalid body","detail":"Fix the fields listed in errors and send the request again.","field":null,"field_code":null}
-- {"raised_by":"invalid_parameter","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"Fix the fields listed in errors and send the request again.","field":null,"field_code":null}
-- {"raised_by":"invalid_request","status":400,"code":"invalid_request","title":"Invalid request","detail":"This is not a valid HTTP/1.1 request. Correct the HTTP client.","field":null,"field_code":null}
-- {"raised_by":"lead_by_reference","status":409,"code":"reference_in_use","title":"Reference in use","detail":"Another lead has this reference. Find it with GET /leads?reference=…, or send another reference.","field":null,"field_code":null}
-- {"raised_by":"lead_cursor_is_well_formed","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This is not a cursor. Send the next_cursor of the previous page unchanged, or leave it out for the first page.","field":"cursor","field_code":"invalid_cursor"}
-- {"raised_by":"lead_has_email_or_name_and_company_or_phone","status":422,"code":"validation_failed","title":"Validation failed","detail":"A lead needs an email, or a name with a company or a phone.","field":"email","field_code":"contact_required"}
-- {"raised_by":"lead_order_is_known","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This must be created_at or updated_at.","field":"order","field_code":"unknown_order"}
-- {"raised_by":"lead_times_have_a_year_of_4_digits","status":422,"code":"validation_failed","title":"Validation failed","detail":"The year must be from 1 to 9999.","field":"created_at","field_code":"out_of_range"}
-- {"raised_by":"method_not_allowed","status":405,"code":"method_not_allowed","title":"Method not allowed","detail":"Use one of the methods in the Allow header.","field":null,"field_code":null}
-- {"raised_by":"not_found","status":404,"code":"not_found","title":"Not found","detail":"There is nothing at this address. Check the path and the id.","field":null,"field_code":null}
-- {"raised_by":"outcome_unknown","status":503,"code":"outcome_unknown","title":"Unavailable","detail":"The connection to the database was lost, and the outcome is unknown. Check whether the change was made, or repeat the request if it has an Idempotency-Key.","field":null,"field_code":null}
-- {"raised_by":"page_size_within_1_and_200","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This must be a whole number from 1 to 200.","field":"limit","field_code":"out_of_range"}
-- {"raised_by":"payload_too_large","status":413,"code":"payload_too_large","title":"Payload too large","detail":"The body is too large. Send a smaller one.","field":null,"field_code":null}
-- {"raised_by":"precondition_failed","status":412,"code":"precondition_failed","title":"Precondition failed","detail":"The record has changed since you read it, so If-Match does not match. Get the record again and repeat the change.","field":null,"field_code":null}
-- {"raised_by":"rate_limited","status":429,"code":"rate_limited","title":"Too many requests","detail":"This address has sent too many requests. Try again later.","field":null,"field_code":null}
-- {"raised_by":"reference_in_use","status":409,"code":"reference_in_use","title":"Reference in use","detail":"Another lead has this reference. Find it with GET /leads?reference=…, or send another reference.","field":null,"field_code":null}
-- {"raised_by":"seal_count_within_1_and_10000","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This must be a whole number from 1 to 10000.","field":"limit","field_code":"out_of_range"}
-- {"raised_by":"seal_position_is_a_whole_number","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This must be a whole number, such as the next_after of the previous response.","field":"after","field_code":"invalid_position"}
-- {"raised_by":"search_text_has_1_to_100_characters","status":400,"code":"invalid_parameter","title":"Invalid parameter","detail":"This must have 1 to 100 characters.","field":"q","field_code":"too_long"}
-- {"raised_by":"signal_dedupe_key_is_text_of_1_to_255","status":422,"code":"validation_failed","title":"Validation failed","detail":"This must be a text of 1 to 255 characters.","field":"dedupe_key","field_code":"invalid_dedupe_key"}
-- {"raised_by":"signal_times_have_a_year_of_4_digits","status":422,"code":"validation_failed","title":"Validation failed","detail":"The year must be from 1 to 9999.","field":"observed_at","field_code":"invalid_timestamp"}
-- {"raised_by":"signal_type_is_name","status":422,"code":"validation_failed","title":"Validation failed","detail":"This must be 1 to 64 of the characters a-z, 0-9, _ and -.","field":"type","field_code":"invalid_name"}
-- {"raised_by":"signal_value_is_flat","status":422,"code":"validation_failed","title":"Validation failed","detail":"This must be true, false, null, a number, a text, or a flat object of these.","field":"value","field_code":"invalid_value"}
-- {"raised_by":"unauthorized","status":401,"code":"unauthorized","title":"Unauthorized","detail":"Send a valid API key: Authorization: Bearer lk_….","field":null,"field_code":null}
-- {"raised_by":"unavailable","status":503,"code":"unavailable","title":"Unavailable","detail":"The server is busy. Nothing was done. Try again.","field":null,"field_code":null}
-- {"raised_by":"unsupported_media_type","status":415,"code":"unsupported_media_type","title":"Unsupported media type","detail":"Send the body in one of the media types that the Accept header lists.","field":null,"field_code":null}
-- {"raised_by":"validation_failed","status":422,"code":"validation_failed","title":"Validation failed","detail":"Fix the fields listed in errors and send the request again.","field":null,"field_code":null}

-- the rows of api.route
-- {"method":"DELETE","path":"/leads/{id}","function":"api.delete_lead","scope":"admin","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/audit-log","function":"api.list_audit_events","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/audit-log/export","function":"api.export_audit_events","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":true,"key_parameter":null}
-- {"method":"GET","path":"/audit-log/verify","function":"api.verify_audit_log","scope":"admin","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/audit-log/{id}","function":"api.get_audit_event","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/crm-connections","function":"api.list_crm_connections","scope":"admin","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/forms","function":"api.list_forms","scope":"admin","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/health","function":"api.get_health","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/leads","function":"api.list_leads","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/leads/export","function":"api.export_leads","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":true,"key_parameter":null}
-- {"method":"GET","path":"/leads/{id}","function":"api.get_lead","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/leads/{id}/crm-sync","function":"api.get_crm_sync","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/leads/{id}/details","function":"api.get_lead_details","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/leads/{id}/everything","function":"api.get_lead_everything","scope":"admin","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/leads/{id}/scores","function":"api.list_scores","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/leads/{id}/signals","function":"api.list_signals","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"GET","path":"/organizations/me","function":"api.get_organization","scope":"read","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"OPTIONS","path":"/in/{token}","function":"api.preflight_form","scope":"form","wait_seconds":null,"wait_function":null,"media_types":["*/*"],"max_body_bytes":262144,"timeout_seconds":10,"is_streamed":false,"key_parameter":"token"}
-- {"method":"PATCH","path":"/leads/{id}","function":"api.update_lead","scope":"write","wait_seconds":null,"wait_function":null,"media_types":["application/json","application/merge-patch+json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"PATCH","path":"/leads/{id}/details","function":"api.update_lead_details","scope":"write","wait_seconds":null,"wait_function":null,"media_types":["application/json","application/merge-patch+json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"POST","path":"/forms","function":"api.create_form","scope":"admin","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"POST","path":"/in/{token}","function":"api.submit_form","scope":"form","wait_seconds":null,"wait_function":null,"media_types":["*/*"],"max_body_bytes":262144,"timeout_seconds":10,"is_streamed":false,"key_parameter":"token"}
-- {"method":"POST","path":"/leads","function":"api.create_lead","scope":"write","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"POST","path":"/leads/{id}/push-to-crm","function":"api.push_lead","scope":"write","wait_seconds":10,"wait_function":"api.get_push","media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"POST","path":"/leads/{id}/score","function":"api.score_lead","scope":"write","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}
-- {"method":"POST","path":"/leads/{id}/signals","function":"api.create_signals","scope":"write","wait_seconds":null,"wait_function":null,"media_types":["application/json"],"max_body_bytes":65536,"timeout_seconds":10,"is_streamed":false,"key_parameter":null}

-- the rows of api.operation
-- {"function":"api.create_form","tag":"Forms","request":"api.form_input","rule":null,"answer":"api.form","form":null,"statuses":[201],"headers":[],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.create_lead","tag":"Leads","request":"api.new_lead_input","rule":{
    "description": "A new lead, with an email, or a name and a company; in some organizations, a name and a phone suffice.",
    "allOf": [
      "$body",
      {
        "anyOf": [
          {"required": ["email"], "properties": {"email": {"type": "string"}}},
          {
            "required": ["name", "company"],
            "properties": {"name": {"type": "string"}, "company": {"type": "string"}}
          },
          {
            "required": ["name", "phone"],
            "properties": {"name": {"type": "string"}, "phone": {"type": "string"}}
          }
        ]
      }
    ]
  },"answer":"api.lead_item","form":null,"statuses":[201],"headers":["Location","ETag"],"problems":["reference_in_use"],"parameters":{},"examples":{"201": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "website", "lead_score": 0, "pipeline_stage": "new", "industry": "residential", "company_size": null, "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:05.114Z"}}}
-- {"function":"api.create_signals","tag":"Scoring","request":"api.signal_input","rule":{
    "description": "One signal, or several.",
    "oneOf": ["$body", {"$ref": "#/components/schemas/SignalBatch"}]
  },"answer":"api.signal","form":"one_or_list","statuses":[201],"headers":[],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.delete_lead","tag":"Leads","request":null,"rule":null,"answer":"api.lead_erasure","form":null,"statuses":[200,202],"headers":[],"problems":[],"parameters":{},"examples":{"202": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "status": "waiting", "copies": []}}}
-- {"function":"api.export_audit_events","tag":"Audit log","request":null,"rule":null,"answer":"api.audit_event","form":"export","statuses":[200],"headers":["Content-Disposition"],"problems":["validation_failed"],"parameters":{},"examples":{}}
-- {"function":"api.export_leads","tag":"Leads","request":null,"rule":null,"answer":"api.exported_lead","form":"export","statuses":[200],"headers":["Content-Disposition"],"problems":["validation_failed"],"parameters":{},"examples":{}}
-- {"function":"api.get_audit_event","tag":"Audit log","request":null,"rule":null,"answer":"api.audit_event","form":null,"statuses":[200],"headers":["ETag"],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.get_crm_sync","tag":"CRM","request":null,"rule":null,"answer":"api.lead_sync","form":null,"statuses":[200],"headers":[],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.get_health","tag":"Organization","request":null,"rule":null,"answer":"api.health","form":null,"statuses":[200],"headers":[],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.get_lead","tag":"Leads","request":null,"rule":null,"answer":"api.lead","form":null,"statuses":[200],"headers":["ETag"],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.get_lead_details","tag":"Leads","request":null,"rule":null,"answer":"api.lead_details","form":null,"statuses":[200],"headers":["ETag"],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.get_lead_everything","tag":"Leads","request":null,"rule":null,"answer":"api.lead_everything","form":null,"statuses":[200],"headers":[],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.get_organization","tag":"Organization","request":null,"rule":null,"answer":"api.organization","form":null,"statuses":[200],"headers":[],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.list_audit_events","tag":"Audit log","request":null,"rule":null,"answer":"api.audit_event","form":null,"statuses":[200],"headers":[],"problems":["validation_failed"],"parameters":{},"examples":{}}
-- {"function":"api.list_crm_connections","tag":"CRM","request":null,"rule":null,"answer":"api.crm_connection","form":"page","statuses":[200],"headers":[],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.list_forms","tag":"Forms","request":null,"rule":null,"answer":"api.form","form":"page","statuses":[200],"headers":[],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.list_leads","tag":"Leads","request":null,"rule":null,"answer":"api.lead_item","form":null,"statuses":[200],"headers":[],"problems":["validation_failed","cursor_expired"],"parameters":{},"examples":{}}
-- {"function":"api.list_scores","tag":"Scoring","request":null,"rule":null,"answer":"api.score","form":null,"statuses":[200],"headers":[],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.list_signals","tag":"Scoring","request":null,"rule":null,"answer":"api.signal","form":null,"statuses":[200],"headers":[],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.push_lead","tag":"CRM","request":null,"rule":null,"answer":"api.lead_sync","form":null,"statuses":[200,202],"headers":[],"problems":["validation_failed","crm_not_configured","crm_outcome_unknown","crm_rejected","crm_unavailable"],"parameters":{},"examples":{"202": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "crm_sync": {"vendor": "jobnimbus", "external_id": null, "status": "pending", "last_synced_at": null}}}}
-- {"function":"api.score_lead","tag":"Scoring","request":null,"rule":null,"answer":"api.new_score","form":null,"statuses":[200],"headers":["ETag"],"problems":[],"parameters":{},"examples":{}}
-- {"function":"api.update_lead","tag":"Leads","request":"api.lead_input","rule":null,"answer":"api.lead_change","form":null,"statuses":[200],"headers":["ETag"],"problems":[],"parameters":{},"examples":{"request": {"pipeline_stage": "won", "lead_score": 92}}}
-- {"function":"api.update_lead_details","tag":"Leads","request":"api.lead_details_input","rule":null,"answer":"api.lead_details","form":null,"statuses":[200],"headers":["ETag"],"problems":["reference_in_use"],"parameters":{},"examples":{"request": {"phone": "(555) 010-0199", "details": {"roof_age": 12, "insured": true, "color": null}}}}
-- {"function":"api.verify_audit_log","tag":"Audit log","request":null,"rule":null,"answer":"api.chain_verdict","form":null,"statuses":[200],"headers":[],"problems":[],"parameters":{},"examples":{}}

-- the rows of api.tag
-- {"name":"Audit log","position":5,"description":"Every change, with its author and origin, and the proof that the log itself was not changed."}
-- {"name":"CRM","position":3,"description":"The record of a lead in the organization's CRM. Each lead gets one record, and never a second one."}
-- {"name":"Forms","position":4,"description":"Addresses to which web pages, automation tools and other services post leads without a key."}
-- {"name":"Leads","position":1,"description":"People and companies that are interested in your services. A key reaches only the leads of its organization."}
-- {"name":"Organization","position":6,"description":"The organization that the key belongs to."}
-- {"name":"Scoring","position":2,"description":"Signals about a lead, and the score that the organization's model computes from them, with its reasons."}

-- the rows of api.guide
-- {"position":1,"title":"Keys","body":"Send a key with each request: `Authorization: Bearer lk_live_…`. A key belongs to one organization and reaches only that\norganization's records. The API answers a request for any other record with 404, as if the record did not exist.\n\nThe scope of a key is `read`, `write` or `admin`. `write` includes `read`, and `admin` includes `write`. A key is shown\nonce, when it is created. Keep it on a server, never in a web page. Keys that begin with `lk_test_` belong to a test\norganization: its pushes to a CRM are simulated, and no data leaves the server.\n\n```sh\nAPI=https://leads.example.com/api/v1  # the address of this server\ncurl -H \"Authorization: Bearer $KEY\" \"$API/health\"\n```"}
-- {"position":2,"title":"Errors","body":"Errors are `application/problem+json` (RFC 9457). `code` is a stable word for your program. `detail` says what to do\nnext. `errors` lists everything that is wrong with the request, by field. `request_id` is the `X-Request-Id` that you\nsent, or one that the server generated. It is also in the server's log and in the audit log. Include it when you ask for\nsupport.\n\nThe API checks in this order: the path (404), the method (405), the key (401), the scope (403), the size of the body\n(413), its type (415), the form of the request (400), `Idempotency-Key`, the fields (422), the record (404), `If-Match`\n(412).\n\nAfter a status of 500 or more you can repeat a GET, and also a POST or PATCH that has an `Idempotency-Key`. Before you repeat any\nother request that failed with the code `outcome_unknown`, check whether the change was made. A response with status 503\nhas `Retry-After`."}
-- {"position":3,"title":"Paging","body":"Lists are sorted from newest to oldest. `limit` is a number from 1 to 200; the default is 50. To get the next page, send\n`next_cursor` as `cursor`, until it is null, or follow the `Link` header. The pages contain every row that existed when\nyou requested the first page exactly once, even if rows are added in the meantime.\n\nRows do not become visible in the order of `created_at`. If you poll with `start_at`, request an overlap of some minutes\nand drop duplicates by `id`. To follow changes, poll the audit log."}
-- {"position":4,"title":"Idempotency","body":"You can repeat a POST or PATCH that has an `Idempotency-Key` (1 to 255 printable characters, for example the id of a form). For\n24 hours, the same key with the same request returns the first response again, with `Idempotency-Replayed: true`.\nAnother request with the same key returns 422. If the first request is still running, a repeat waits up to 5 seconds,\nand then returns 409. Only successful responses are kept."}
-- {"position":5,"title":"Concurrency","body":"The response with a lead has an `ETag`. Send it as `If-Match` with a PATCH: the change is made only if the lead has not\nchanged since, otherwise the API returns 412. Send it as `If-None-Match` with a GET: the API returns 304 if the lead has\nnot changed."}
-- {"position":6,"title":"Forms","body":"A form is an address to which anything can post leads without a key: a web page, an automation tool, Google Ads, Typeform,\nCalendly and others. `POST /forms` creates one, and returns its `address`, such as `/in/lf_live_…`, below the host of this\nserver and not below `/api/v1`. It accepts JSON, urlencoded and multipart forms. It answers `{\"status\": \"received\"}`, or a\nredirect, and 401, 413 or 429 (`rate_limited`). What can't become a lead is kept for 30 days.\n\nA form to copy:\n\n```html\n<form method=\"post\" action=\"https://leads.example.com/in/TOKEN\">\n  <label>Name <input name=\"name\" required></label>\n  <label>E-mail <input name=\"email\" type=\"email\" required></label>\n  <label>Phone <input name=\"phone\" type=\"tel\"></label>\n  <label>Message <textarea name=\"message\"></textarea></label>\n  <!-- The honeypot: people do not see it. -->\n  <input name=\"website\" tabindex=\"-1\" autocomplete=\"off\" style=\"left: -10000px; position: absolute\">\n  <button>Send</button>\n</form>\n```\n\nOther fields become `details` of the lead. A `mapping` puts them elsewhere."}

-- the rows of api.parameter
-- {"name":"action","description":"Only events with one of these actions.","example":"lead.updated"}
-- {"name":"after","description":"The position of the last seal that was verified: the `next_after` of the previous response.","example":null}
-- {"name":"cursor","description":"The `next_cursor` of the previous page. Leave it out, or empty, for the first page.","example":"eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS0zYzBlN2Q0YjJmMTgifQ"}
-- {"name":"email","description":"Only leads with one of these addresses. Upper and lower case letters A to Z are equal.","example":"sarah.mitchell@example.com"}
-- {"name":"end_at","description":"Only rows created before this time: a date (midnight UTC), or a time with `Z` or an offset.","example":null}
-- {"name":"format","description":"The format of the export: `ndjson` or `csv`.","example":null}
-- {"name":"head","description":"A `head` that you kept from an earlier response. The chain must still contain it.","example":null}
-- {"name":"id","description":"The id of the record.","example":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}
-- {"name":"idempotency_key","description":"Makes the request safe to repeat: for 24 hours the same key and request return the first response again.","example":"form-7731"}
-- {"name":"if_match","description":"Make the change only if the record has one of these tags, as `ETag` returned them. Otherwise: 412.","example":"\"1.11\""}
-- {"name":"lead_id","description":"Only events of this lead.","example":null}
-- {"name":"limit","description":"The maximum number of rows in the response.","example":null}
-- {"name":"order","description":"The order of the leads. `updated_at`: the leads that changed, in the order of their changes.","example":null}
-- {"name":"phone","description":"Only leads with this phone number, in any spelling.","example":"+15550100199"}
-- {"name":"pipeline_stage","description":"Only leads in one of these stages.","example":"qualified,won"}
-- {"name":"q","description":"Only leads whose name, company and e-mail address have all of these words, each as the beginning of a word.","example":"sarah mitch"}
-- {"name":"reference","description":"Only the lead with this reference.","example":"form-7731"}
-- {"name":"source","description":"Only rows with one of these sources.","example":null}
-- {"name":"start_at","description":"Only rows created at this time or later: a date (midnight UTC), or a time with `Z` or an offset.","example":null}
-- {"name":"updated_since","description":"Begin with the changes of this time, in the order `updated_at`. A cursor replaces it.","example":null}

-- the rows of api.shape
-- {"type":"api.audit_event","relation":"audit.event","never_null":[],"fields":{"payload":{"$ref":"#/components/schemas/AuditPayload"}},"example":{"id": "01a15d1e-0a5c-7c11-8a3c-5d1f1d6c2a91", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "action": "lead.updated", "source": "api", "correlation_id": "4f6c1c0e8d3b4a8c9a35c8f2b1d7e640", "payload": {"lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "diff": {"pipeline_stage": {"from": "qualified", "to": "won"}, "lead_score": {"from": 87, "to": 92}}, "key_id": "3f0d5a52-3c7e-4d6f-9a64-7d1b0a2e4c11"}, "created_at": "2026-04-27T18:55:42.001Z"}}
-- {"type":"api.chain_fault","relation":null,"never_null":["code","detail"],"fields":{"code":{"type":"string","enum":["head_mismatch","seal_missing","event_missing","hash_mismatch","payload_mismatch","not_sealed"]}},"example":null}
-- {"type":"api.chain_verdict","relation":null,"never_null":["organization_id","holds","verified_from","verified_to","unsealed"],"fields":{},"example":{"organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "holds": true, "fault": null, "verified_from": 1, "verified_to": 583, "next_after": null, "head": "583:fcc5b98b28bdea1ea9f95e5f1a7f529ca275366987c4743222202462510eaf54", "unsealed": 0}}
-- {"type":"api.crm_attempt","relation":"crm.attempt","never_null":[],"fields":{},"example":null}
-- {"type":"api.crm_connection","relation":"crm.connection","never_null":[],"fields":{"settings":{"$ref":"#/components/schemas/CrmConnectionSettings"}},"example":{"id": "01a15d20-0b2c-7d3e-8f4a-5b6c7d8e9fa0", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "vendor": "jobnimbus", "account": "default", "state": "active", "fault": null, "push_stage": "qualified", "settle_seconds": 60, "settings": {"record_type_name": "Customer", "status_name": "Lead"}, "created_at": "2026-04-20T09:00:00.000Z"}}
-- {"type":"api.crm_push","relation":"crm.sync","never_null":["attempts"],"fields":{},"example":null}
-- {"type":"api.crm_sync","relation":"crm.sync","never_null":[],"fields":{},"example":null}
-- {"type":"api.exported_lead","relation":"app.lead","never_null":["details"],"fields":{"details":{"$ref":"#/components/schemas/LeadDetailValues"}},"example":{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 87, "pipeline_stage": "qualified", "industry": "residential", "company_size": null, "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:09.218Z", "pain_points": null, "timeline": "this_week", "budget_range": null, "ai_reasoning": null, "qualification_completed_at": "2026-04-27T13:22:09.218Z", "phone": "(555) 010-0199", "reference": "form-7731", "details": {"roof_age": 12, "insured": true}}}
-- {"type":"api.form","relation":"intake.form","never_null":["id","organization_id","source","mapping","constants","origins","on_duplicate","duplicate_hours","requests_per_minute","has_secret","state","created_at"],"fields":{"mapping":{"$ref":"#/components/schemas/FormMapping"},"constants":{"$ref":"#/components/schemas/FormConstants"},"origins":{"type":"array","items":{"type":"string"}},"state":{"type":"string","enum":["active","revoked"]}},"example":{"id": "01a15d21-5b3c-7e4f-9a5b-6c7d8e9fa0b1", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Contact page", "preset": null, "source": "website", "mapping": {"roof.age": "details.roof_age", "utm_*": "ignore"}, "constants": {}, "origins": ["https://www.example.com"], "honeypot": "url", "redirect_url": "https://www.example.com/thanks", "on_duplicate": "fill", "duplicate_hours": 24, "requests_per_minute": 60, "has_secret": false, "state": "active", "address": null, "created_at": "2026-04-20T09:00:00.000Z"}}
-- {"type":"api.form_input","relation":"intake.form","never_null":[],"fields":{"preset":{"type":["string","null"],"enum":["calendly","elementor","google_ads","gravity_forms","jotform","meta","typeform","webflow",null]},"redirect_url":{"type":["string","null"],"maxLength":2000,"pattern":"^https?://[!-~]+$"},"mapping":{"$ref":"#/components/schemas/FormMapping"},"constants":{"$ref":"#/components/schemas/FormConstants"},"origins":{"type":["array","null"],"maxItems":20,"items":{"type":"string","pattern":"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$"}},"duplicate_hours":{"type":["integer","null"],"minimum":1,"maximum":8760},"requests_per_minute":{"type":["integer","null"],"minimum":1,"maximum":6000},"secret":{"type":["string","null"],"minLength":1,"maxLength":255}},"example":{"name": "Contact page", "source": "website", "mapping": {"roof.age": "details.roof_age", "utm_*": "ignore"}, "origins": ["https://www.example.com"], "honeypot": "url", "redirect_url": "https://www.example.com/thanks", "on_duplicate": "fill"}}
-- {"type":"api.form_submission","relation":"intake.submission","never_null":["id","form_id","outcome","created_at"],"fields":{"content":{"type":["object","null"],"additionalProperties":true},"faults":{"type":["array","null"],"items":{"$ref":"#/components/schemas/FieldError"}}},"example":null}
-- {"type":"api.health","relation":"app.organization","never_null":["status","organization_id","environment","scopes"],"fields":{"status":{"type":"string","enum":["ok"]},"scopes":{"type":"array","items":{"type":"string","enum":["read","write","admin"]}}},"example":{"status": "ok", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "environment": "live", "scopes": ["read", "write"]}}
-- {"type":"api.kept_answer","relation":null,"never_null":["created_at"],"fields":{"body":{"type":["object","null"],"additionalProperties":true}},"example":null}
-- {"type":"api.lead","relation":"app.lead","never_null":[],"fields":{},"example":{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 87, "pipeline_stage": "qualified", "industry": "residential", "company_size": null, "pain_points": "Recurring basement moisture after spring rain", "timeline": "this_week", "budget_range": null, "ai_reasoning": "High urgency: water damage signal, recent storm event, in-radius", "qualification_completed_at": "2026-04-27T13:22:09.218Z", "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:09.218Z"}}
-- {"type":"api.lead_change","relation":"app.lead","never_null":[],"fields":{},"example":{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 92, "pipeline_stage": "won", "updated_at": "2026-04-27T18:55:42.001Z"}}
-- {"type":"api.lead_copy","relation":"crm.sync","never_null":["may_have_made"],"fields":{},"example":null}
-- {"type":"api.lead_details","relation":"app.lead","never_null":["details"],"fields":{"details":{"$ref":"#/components/schemas/LeadDetailValues"}},"example":{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "phone": "(555) 010-0199", "reference": "form-7731", "details": {"roof_age": 12, "insured": true}, "updated_at": "2026-04-27T13:22:09.218Z"}}
-- {"type":"api.lead_details_input","relation":"app.lead","never_null":[],"fields":{"details":{"$ref":"#/components/schemas/LeadDetailPatch"}},"example":{"phone": "(555) 010-0199", "details": {"roof_age": 12, "color": null}}}
-- {"type":"api.lead_erasure","relation":null,"never_null":["id","status","copies"],"fields":{"status":{"type":"string","enum":["erased","waiting"]}},"example":{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "status": "erased", "copies": [{"vendor": "jobnimbus", "account": "default", "status": "ok", "external_id": "jn_117422", "may_have_made": []}]}}
-- {"type":"api.lead_everything","relation":null,"never_null":["signals","scores","crm_pushes","audit_events","kept_answers","is_complete","submissions"],"fields":{},"example":{"lead": null, "details": null, "signals": [], "scores": [], "crm_pushes": [], "audit_events": [], "kept_answers": [], "is_complete": true, "submissions": []}}
-- {"type":"api.lead_input","relation":"app.lead","never_null":[],"fields":{},"example":{"name": "Sarah Mitchell", "email": "sarah.mitchell@example.com", "source": "website", "industry": "residential", "pipeline_stage": "new"}}
-- {"type":"api.lead_item","relation":"app.lead","never_null":[],"fields":{},"example":{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 87, "pipeline_stage": "qualified", "industry": null, "company_size": null, "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:09.218Z"}}
-- {"type":"api.lead_sync","relation":null,"never_null":["id"],"fields":{},"example":{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "crm_sync": {"vendor": "jobnimbus", "external_id": "jn_117422", "status": "ok", "last_synced_at": "2026-04-27T19:03:42.118Z"}}}
-- {"type":"api.new_lead_input","relation":"app.lead","never_null":[],"fields":{"details":{"$ref":"#/components/schemas/LeadDetailPatch"}},"example":{"name": "Sarah Mitchell", "email": "sarah.mitchell@example.com", "source": "website", "phone": "(555) 010-0199", "reference": "form-7731", "details": {"roof_age": 12, "insured": true}}}
-- {"type":"api.new_score","relation":"scoring.score","never_null":["id","lead_score","ai_reasoning","scored_at"],"fields":{},"example":{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "lead_score": 91, "ai_reasoning": "Recent storm event in service radius (+0.18); phone validated (+0.10); fast form completion (+0.08)", "scored_at": "2026-04-27T19:01:15.214Z"}}
-- {"type":"api.organization","relation":"app.organization","never_null":["id","name","pipeline_stages"],"fields":{},"example":{"id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Acme Restoration", "environment": "live", "pipeline_stages": ["new", "contacted", "qualified", "proposal", "won", "lost"], "created_at": "2026-04-20T09:00:00.000Z"}}
-- {"type":"api.score","relation":"scoring.score","never_null":[],"fields":{"contributions":{"type":["array","null"],"items":{"$ref":"#/components/schemas/Contribution"}}},"example":{"id": "01a15d1f-77aa-7be0-9d1c-2f6a0b1c3d4e", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "kind": "set", "lead_score": 92, "ai_reasoning": null, "model": null, "model_version": null, "base": null, "contributions": null, "created_at": "2026-04-27T18:55:42.001Z"}}
-- {"type":"api.sent_contact","relation":null,"never_null":["display_name","sent_at"],"fields":{},"example":null}
-- {"type":"api.signal","relation":"scoring.signal","never_null":[],"fields":{"value":{"$ref":"#/components/schemas/SignalValue"}},"example":{"id": "01a15d1d-53d4-7897-a198-06530f93fb05", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "type": "storm_event", "value": {"miles": 4.2}, "observed_at": "2026-04-27T13:20:00.000Z", "dedupe_key": null, "created_at": "2026-04-27T13:22:06.030Z"}}
-- {"type":"api.signal_input","relation":"scoring.signal","never_null":["type"],"fields":{"value":{"$ref":"#/components/schemas/SignalValue"},"observed_at":{"anyOf":[{"type":"string","format":"date-time"},{"type":"string","format":"date"},{"type":"null"}]}},"example":{"type": "storm_event", "value": {"miles": 4.2}, "observed_at": "2026-04-27T13:20:00Z"}}

-- the rows of api.named_schema
-- {"name":"AuditPayload","schema":{
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
  }}
-- {"name":"Contribution","schema":{
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
  }}
-- {"name":"CrmConnectionSettings","schema":{
    "type": "object",
    "description": "The settings of a connection. Each CRM has its own.",
    "additionalProperties": true
  }}
-- {"name":"Diff","schema":{
    "type": "object",
    "description": "The fields that changed, by name.",
    "additionalProperties": {"$ref": "#/components/schemas/FieldChange"}
  }}
-- {"name":"ExportEnd","schema":{
    "type": "object",
    "description": "The last line of an export. If it is missing, the export was cut off.",
    "required": ["complete", "rows"],
    "properties": {
      "complete": {"type": "boolean", "const": true, "description": "Always true."},
      "rows": {"type": "integer", "minimum": 0, "description": "The number of rows before this line."}
    },
    "additionalProperties": false
  }}
-- {"name":"FieldChange","schema":{
    "type": "object",
    "description": "The change of one field. If the person was erased, there is only erased.",
    "properties": {
      "from": {"description": "The value before the change; null if there was none."},
      "to": {"description": "The value after the change; null if there is none."},
      "erased": {"type": "boolean", "description": "true: the values were erased at the request of the person."}
    },
    "additionalProperties": false
  }}
-- {"name":"FieldError","schema":{
    "type": "object",
    "description": "One thing that is wrong with a request.",
    "required": ["field", "code", "detail"],
    "properties": {
      "field": {"type": "string", "description": "The field, parameter or header."},
      "code": {"type": "string", "description": "The error as a stable word."},
      "detail": {"type": "string", "description": "What the value must be."}
    },
    "additionalProperties": false
  }}
-- {"name":"FormConstants","schema":{
    "type": ["object", "null"],
    "description": "Values that each lead has, by field or details.NAME.",
    "maxProperties": 200,
    "additionalProperties": {"type": ["string", "number", "boolean"], "description": "The value."}
  }}
-- {"name":"FormMapping","schema":{
    "type": ["object", "null"],
    "description": "Where values go: from the path or the question of a value to a field of the lead, details.NAME, signals.NAME, ignore, or auto. * in a path stands for any characters.",
    "maxProperties": 200,
    "additionalProperties": {
      "type": "string",
      "pattern": "^(name|company|email|source|pipeline_stage|industry|company_size|pain_points|timeline|budget_range|phone|reference|first_name|last_name|auto|ignore|details\\.[a-z][a-z0-9_]{0,63}|signals\\.[a-z0-9][a-z0-9_-]{0,63})$",
      "description": "A field of the lead, details.NAME, signals.NAME, ignore or auto."
    }
  }}
-- {"name":"LeadDetailPatch","schema":{
    "description": "Values to change, by name; null removes a value. null instead of the object removes all.",
    "type": ["object", "null"],
    "maxProperties": 50,
    "propertyNames": {"maxLength": 64, "pattern": "^[a-z][a-z0-9_]*$"},
    "additionalProperties": {
      "anyOf": [
        {"type": ["boolean", "number", "null"]},
        {"type": "string", "maxLength": 1000, "minLength": 1, "pattern": "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\t\\n\\r \\u00a0\\u00ad\\u061c\\u1680\\u180e\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ufeff\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180d\\u180f\\u2800\\u3164\\ufe00-\\ufe0f\\uffa0\\ufff0-\\ufff8][^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$"}
      ]
    }
  }}
-- {"name":"LeadDetailValues","schema":{
    "type": "object",
    "description": "Values by name: texts, numbers and booleans. At most 16 KiB as JSON.",
    "maxProperties": 50,
    "propertyNames": {"maxLength": 64, "pattern": "^[a-z][a-z0-9_]*$"},
    "additionalProperties": {
      "anyOf": [
        {"type": ["boolean", "number"]},
        {"type": "string", "maxLength": 1000, "minLength": 1, "pattern": "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\t\\n\\r \\u00a0\\u00ad\\u061c\\u1680\\u180e\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ufeff\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180d\\u180f\\u2800\\u3164\\ufe00-\\ufe0f\\uffa0\\ufff0-\\ufff8][^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$"}
      ]
    }
  }}
-- {"name":"Problem","schema":{
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
  }}
-- {"name":"SignalBatch","schema":{
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
  }}
-- {"name":"SignalValue","schema":{
    "description": "true, false, null, a number, a text, or a flat object of these.",
    "anyOf": [
      {"type": ["boolean", "null", "number"]},
      {"type": "string", "maxLength": 1000, "minLength": 1, "pattern": "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\t\\n\\r \\u00a0\\u00ad\\u061c\\u1680\\u180e\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ufeff\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180d\\u180f\\u2800\\u3164\\ufe00-\\ufe0f\\uffa0\\ufff0-\\ufff8][^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$"},
      {
        "type": "object",
        "maxProperties": 32,
        "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\t\\n\\r \\u00a0\\u00ad\\u061c\\u1680\\u180e\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ufeff\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180d\\u180f\\u2800\\u3164\\ufe00-\\ufe0f\\uffa0\\ufff0-\\ufff8][^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$"},
        "additionalProperties": {
          "anyOf": [
            {"type": ["boolean", "null", "number"]},
            {"type": "string", "maxLength": 1000, "minLength": 1, "pattern": "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\t\\n\\r \\u00a0\\u00ad\\u061c\\u1680\\u180e\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ufeff\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180d\\u180f\\u2800\\u3164\\ufe00-\\ufe0f\\uffa0\\ufff0-\\ufff8][^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$"}
          ]
        }
      }
    ]
  }}

-- the rows of app.lead_field
-- {"name":"ai_reasoning","kind":"text","max_length":10000,"is_nullable":true,"is_detail":false}
-- {"name":"budget_range","kind":"text","max_length":128,"is_nullable":true,"is_detail":false}
-- {"name":"company","kind":"text","max_length":255,"is_nullable":true,"is_detail":false}
-- {"name":"company_size","kind":"text","max_length":128,"is_nullable":true,"is_detail":false}
-- {"name":"details","kind":"details","max_length":null,"is_nullable":true,"is_detail":true}
-- {"name":"email","kind":"email","max_length":254,"is_nullable":true,"is_detail":false}
-- {"name":"industry","kind":"text","max_length":128,"is_nullable":true,"is_detail":false}
-- {"name":"lead_score","kind":"score","max_length":null,"is_nullable":false,"is_detail":false}
-- {"name":"name","kind":"text","max_length":255,"is_nullable":true,"is_detail":false}
-- {"name":"pain_points","kind":"text","max_length":10000,"is_nullable":true,"is_detail":false}
-- {"name":"phone","kind":"phone","max_length":64,"is_nullable":true,"is_detail":true}
-- {"name":"pipeline_stage","kind":"stage","max_length":null,"is_nullable":false,"is_detail":false}
-- {"name":"reference","kind":"text","max_length":255,"is_nullable":true,"is_detail":true}
-- {"name":"source","kind":"name","max_length":64,"is_nullable":true,"is_detail":false}
-- {"name":"timeline","kind":"text","max_length":128,"is_nullable":true,"is_detail":false}

-- the rows of scoring.default_model
-- {"version":1,"document":{"base": 0.55, "rules": [{"name": "storm_event", "label": "Recent storm event in service radius", "signal": "storm_event", "weight": 0.18, "half_life_hours": 72}, {"name": "phone_validated", "label": "phone validated", "signal": "phone_validated", "weight": 0.10}, {"name": "fast_form_completion", "label": "fast form completion", "signal": "fast_form_completion", "weight": 0.08}, {"name": "email_bounced", "label": "email bounced", "signal": "email_bounced", "weight": -0.15}], "rescore_on_signal": false}}

-- the rows of crm.vendor
-- {"name":"hubspot","title":"HubSpot","has_search":true,"needs_name":false,"settle_seconds":5,"calls_at_once":8,"calls":190,"call_seconds":10}
-- {"name":"jobnimbus","title":"JobNimbus","has_search":true,"needs_name":true,"settle_seconds":10,"calls_at_once":8,"calls":null,"call_seconds":null}
-- {"name":"webhook","title":"Webhook","has_search":false,"needs_name":false,"settle_seconds":0,"calls_at_once":8,"calls":null,"call_seconds":null}

-- the roles
-- {"role": "leads_api", "rolcanlogin": true, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
-- {"role": "leads_audit", "rolcanlogin": false, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
-- {"role": "leads_auth", "rolcanlogin": false, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
-- {"role": "leads_bi", "rolcanlogin": false, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
-- {"role": "leads_eraser", "rolcanlogin": false, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
-- {"role": "leads_exec", "rolcanlogin": false, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
-- {"role": "leads_intake", "rolcanlogin": false, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
-- {"role": "leads_jobs", "rolcanlogin": false, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
-- {"role": "leads_migrator", "rolcanlogin": true, "rolsuper": false, "rolcreaterole": true, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": ["leads_auth", "leads_exec", "leads_intake", "leads_jobs", "leads_owner"]}
-- {"role": "leads_operator", "rolcanlogin": true, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
-- {"role": "leads_owner", "rolcanlogin": false, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
-- {"role": "leads_worker", "rolcanlogin": true, "rolsuper": false, "rolcreaterole": false, "rolcreatedb": false, "rolbypassrls": false, "rolreplication": false, "member_of": []}
