-- admin.wrong_state - refuses a step of a move that doesn't follow from the state.
set local role leads_jobs;

create or replace function admin.wrong_state(organization_id uuid, step text)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  raise sqlstate 'PT409' using
    message = 'wrong_state',
    hint = format(
      '%s isn''t possible: the organization %s is %s. To list the moves, call admin.moves().',
      wrong_state.step, wrong_state.organization_id,
      case admin.placement(wrong_state.organization_id)
        when 'here' then 'in this cell, and no move has begun'
        when 'absent' then 'not in this cell'
        else (
          select format('%s (%s %s)', p.state, case p.state when 'arriving' then 'from' else 'to' end, p.cell)
          from app.placement as p
          where p.organization_id = wrong_state.organization_id
        )
      end
    );
end $$;

comment on function admin.wrong_state(uuid, text) is 'Raises PT409 wrong_state, with the organization''s state as the hint.';
