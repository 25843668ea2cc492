-- admin.moves - lists the moves that this cell takes part in.
set local role leads_jobs;

create or replace function admin.moves()
returns table (organization_id uuid, state text, cell text, since text, handed_over_at text) language sql stable security definer
begin atomic
  select p.organization_id, p.state, p.cell, app.utc_text(p.since), app.utc_text(p.handed_over_at)
  from app.placement as p
  order by p.since, p.organization_id;
end;

comment on function admin.moves() is
$$The organizations that move to or from this cell, and those whose rows are left over from a move.

state: see app.placement. cell: the other cell. handed_over_at: since when the other cell may have taken over; null: it has not.$$;

grant execute on function admin.moves() to leads_operator, leads_router;
