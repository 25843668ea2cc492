-- scoring.tg_lead__keep_score - adds a score that was written to the lead to its history.
set local role leads_owner;

create or replace function scoring.tg_lead__keep_score()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
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

comment on function scoring.tg_lead__keep_score() is
  'Adds a score that was written to the lead, with its reasons, to the history, as a row of kind "set".';
