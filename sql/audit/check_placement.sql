-- audit.check_placement - refuses work for an organization that another cell has, or will have in a moment.
set local role leads_owner;

create or replace function audit.check_placement(organization_id uuid)
returns void language plpgsql stable security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_placement record;
begin
  select p.state, p.cell into v_placement
  from app.placement as p
  where p.organization_id = check_placement.organization_id;
  case v_placement.state
    when 'moving' then
      raise sqlstate 'PT503' using
        message = 'moving',
        hint = 'The organization is being moved to another cell. Nothing was done. Try again in a moment.';
    when 'moved' then
      raise sqlstate 'PT409' using
        message = 'moved',
        hint = format('The organization was moved to the cell %s. Run the command there.', v_placement.cell);
    when 'arriving' then
      raise sqlstate 'PT409' using
        message = 'arriving',
        hint = format(
          'The organization is being moved to this cell, and the cell %s still has it. Run the command there.', v_placement.cell
        );
    else
      return;
  end case;
end $$;

comment on function audit.check_placement(uuid) is
  'Raises PT503 moving, PT409 moved or PT409 arriving if the organization is fenced in this cell.';

grant execute on function audit.check_placement(uuid) to leads_audit, leads_jobs;
