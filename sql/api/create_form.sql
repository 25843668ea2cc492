-- api.create_form - POST /forms.
set local role leads_exec;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists api.create_form(text);

create or replace function api.create_form(
  body text default '{}',
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_form record;
begin
  -- It returns no answer: a repeat of this request is an error. The digest of the request is stored. The body
  -- may contain a secret, so the digest is not one of the body alone: it covers the Idempotency-Key, too.
  perform app.claim_idempotency_key(
    v_organization_id, create_form.idempotency_key, create_form.idempotency_wait,
    concat_ws(chr(10), 'POST /forms', create_form.idempotency_key, create_form.body)
  );
  v_form := intake.create_form(v_organization_id, app.read_object(create_form.body));
  perform app.keep_secret_answer(v_organization_id, create_form.idempotency_key, 201, v_form.form_id);
  -- Another statement, which sees the row.
  return row(
    201,
    auth.announcement(
      v_organization_id,
      (select f.key_id from intake.form as f where f.organization_id = v_organization_id and f.id = v_form.form_id)
    ),
    row_to_json(intake.form_item(v_organization_id, v_form.form_id, v_form.token))::text
  );
end $$;

comment on function api.create_form(text, api.idempotency_key, integer) is
$$Create a form.

A form is an address, with a token in it, to which web pages, automation tools and services with a preset can post leads.
address is the path of that address on this server. It is shown once, so keep it. mapping says where values go:
{"fields.budget": "budget_range", "Roof age": "details.roof_age", "utm_*": "ignore"}. constants are values that each lead
has. A value that has no other place is stored in the details.$$;

grant execute on function api.create_form(text, api.idempotency_key, integer) to leads_api;

set local role leads_owner;
call api.document(
  'api.create_form', tag => 'Forms', request => 'api.form_input', answer => 'api.form', statuses => '{201}',
  problems => '{secret_already_shown}',
  examples => '{"201": {"id": "01a15d21-5b3c-7e4f-9a5b-6c7d8e9fa0b1", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Contact page", "preset": null, "source": "website", "mapping": {"roof.age": "details.roof_age", "utm_*": "ignore"}, "constants": {"industry": "residential"}, "origins": ["https://www.example.com"], "honeypot": "url", "redirect_url": "https://www.example.com/thanks", "on_duplicate": "fill", "duplicate_hours": 24, "requests_per_minute": 60, "has_secret": false, "state": "active", "address": "/in/lf_live_…", "created_at": "2026-04-20T09:00:00.000Z"}}'
);
