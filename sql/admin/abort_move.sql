-- admin.abort_move - ends a move at the source, which keeps the organization.
set local role leads_jobs;

create or replace function admin.abort_move(organization_id uuid, is_discarded boolean default false)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_placement record;
begin
  select p.state, p.handed_over_at into v_placement
  from app.placement as p
  where p.organization_id = abort_move.organization_id
  for update;
  if v_placement.state is null then
    return;
  elsif v_placement.state not in ('copying', 'draining', 'moving') then
    perform admin.wrong_state(abort_move.organization_id, 'To abort a move');
  elsif v_placement.handed_over_at is not null and not abort_move.is_discarded then
    raise sqlstate 'PT409' using
      message = 'handed_over',
      hint =
        'The other cell may have taken the organization over. If admin.placement says "here" there, go on with admin.give_up. If not, '
        'call admin.discard_arrival there, and then this function with is_discarded => true.';
  end if;
  delete from app.placement as p where p.organization_id = abort_move.organization_id;
  perform auth.fence_keys(abort_move.organization_id);
  perform audit.unpublish_rows(abort_move.organization_id);
end $$;

comment on function admin.abort_move(uuid, boolean) is
$$This cell serves the organization again, and the publication is dropped. A second call changes nothing.

is_discarded: whether admin.discard_arrival has ended at the target. Without it, the function refuses as soon as admin.owned_rows was
called: otherwise two cells could answer. Raises PT409 wrong_state and handed_over.$$;

grant execute on function admin.abort_move(uuid, boolean) to leads_operator;
