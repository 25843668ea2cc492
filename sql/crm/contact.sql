-- crm.contact - the data of a lead for the CRM.
set local role leads_jobs;

create or replace function crm.contact(lead app.lead_values, sync_id uuid)
returns json language sql stable security invoker
begin atomic
  select json_build_object(
    'lead_id', (lead).id,
    'sync_id', contact.sync_id,
    'display_name', coalesce((lead).name, (lead).company, (lead).email),
    'name', (lead).name,
    'company', (lead).company,
    'email', (lead).email,
    'source', (lead).source,
    'description', concat_ws(
      E'\n',
      format('Score %s, stage %s.', (lead).lead_score, (lead).pipeline_stage),
      'Phone: ' || (lead).phone,
      'Reasons: ' || (lead).ai_reasoning,
      'Timeline: ' || (lead).timeline,
      'Budget: ' || (lead).budget_range,
      'Industry: ' || (lead).industry,
      'Company size: ' || (lead).company_size,
      'Pain points: ' || (lead).pain_points
    ),
    'lead', (
      left(row_to_json(app.lead_whole(lead))::text, -1)
      || ',"phone":' || coalesce(to_json((lead).phone)::text, 'null')
      || ',"phone_e164":' || coalesce(to_json(case when (lead).phone_key like '+%' then (lead).phone_key end)::text, 'null')
      || ',"reference":' || coalesce(to_json((lead).reference)::text, 'null')
      || ',"details":' || coalesce((lead).details::text, '{}')
      || '}'
    )::json
  );
end;

comment on function crm.contact(app.lead_values, uuid) is
  'The fields of the lead that an adapter sends, with display_name (the name, else the company, else the e-mail address), '
  'description (one line for each known field) and the whole lead as the API shows it, with phone, phone_e164 (null: its country '
  'is not known), reference and details. A member that is added here stops the worker of the previous '
  'release, except in lead.';
