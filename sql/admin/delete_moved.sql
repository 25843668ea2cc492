-- admin.delete_moved - deletes the rows that a move has left at the source.
set local role leads_jobs;

create or replace function admin.delete_moved(organization_id uuid, batch integer default 10000)
returns bigint language sql volatile security definer
begin atomic
  select admin.delete_batch(delete_moved.organization_id, 'moved', 'To delete the rows of a moved organization', delete_moved.batch);
end;

comment on function admin.delete_moved(uuid, integer) is
$$Deletes about batch rows of an organization that was moved to another cell, with its events and seals. Call it until it returns 0;
then the organization can be moved back. Only the migrating login can execute it, because it deletes a part of the audit log.

Check before that the other cell has the organization: leads audit verify there. Returns the number of deleted rows; 0 also if the
cell has nothing of the organization. Raises PT409 wrong_state.$$;
