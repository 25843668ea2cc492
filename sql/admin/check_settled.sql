-- admin.check_settled - refuses an operation that a move of the organization would break, or that would break it.
set local role leads_jobs;

create or replace function admin.check_settled(organization_id uuid)
returns void language plpgsql stable security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_cell text;
begin
  perform audit.check_placement(check_settled.organization_id);
  select p.cell into v_cell from app.placement as p where p.organization_id = check_settled.organization_id;
  if found then
    raise sqlstate 'PT409' using
      message = 'move_has_begun',
      hint = format(
        'The organization is being moved to the cell %s. Run the command when the move has ended, or abort the move.', v_cell
      );
  end if;
end $$;

comment on function admin.check_settled(uuid) is
  'Raises PT409 move_has_begun, and what audit.check_placement raises, unless this cell has the organization and no move has begun.';
