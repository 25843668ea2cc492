-- scoring.tg_score__check - refuses a score that the lead doesn't have, and a time in the future.
set local role leads_owner;

create or replace function scoring.tg_score__check()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
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

comment on function scoring.tg_score__check() is
  'Raises PT409 refused if created_at is in the future, or if kind is "set" and the lead has another score.';
