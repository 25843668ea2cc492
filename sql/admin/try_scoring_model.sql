-- admin.try_scoring_model - computes a lead's score and doesn't store it, for leads scoring try.
set local role leads_jobs;

create or replace function admin.try_scoring_model(
  organization_id uuid,
  lead_id uuid,
  instant timestamptz default null,
  document jsonb default null
)
returns table (
  lead_score integer,
  ai_reasoning text,
  base numeric,
  contributions json,
  model text,
  model_version integer,
  scored_at text
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
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

comment on function admin.try_scoring_model(uuid, uuid, timestamptz, jsonb) is
$$The score that a scoring model gives a lead. Stores no score.

instant: null for now; otherwise only signals that were observed until then count. document: the model; null for the model in
force. model, model_version: null if document has a value. Writes the event lead.read. Raises PT404 organization_not_found and lead_not_found, PT422
invalid_model.$$;

grant execute on function admin.try_scoring_model(uuid, uuid, timestamptz, jsonb) to leads_operator;
