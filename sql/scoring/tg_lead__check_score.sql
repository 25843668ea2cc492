-- scoring.tg_lead__check_score - refuses a score_id that doesn't match the history.
set local role leads_owner;

create or replace function scoring.tg_lead__check_score()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
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

comment on function scoring.tg_lead__check_score() is
  'Raises PT409 refused unless score_id is a row of the lead''s history that a model made, with the same score and reasons.';
