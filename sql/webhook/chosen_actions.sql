-- webhook.chosen_actions - the actions of a webhook, from a JSON list.
set local role leads_owner;

create or replace function webhook.chosen_actions(actions jsonb)
returns text[] language sql immutable parallel safe
begin atomic
  select array_agg(a.action order by a.position)
  from (
    select a.action, min(a.position) as position
    from jsonb_array_elements_text(nullif(chosen_actions.actions, 'null')) with ordinality as a (action, position)
    group by a.action
  ) as a;
end;

comment on function webhook.chosen_actions(jsonb) is 'The texts of a JSON array, each once. Null for null, and for the JSON null.';

grant execute on function webhook.chosen_actions(jsonb) to leads_exec, leads_jobs;
