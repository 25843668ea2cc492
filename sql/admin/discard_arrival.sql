-- admin.discard_arrival - deletes what has arrived of an organization whose move is aborted, at the target.
set local role leads_jobs;

create or replace function admin.discard_arrival(organization_id uuid, batch integer default 10000)
returns bigint language sql volatile security definer
begin atomic
  select admin.delete_batch(discard_arrival.organization_id, 'arriving', 'To discard what has arrived', discard_arrival.batch);
end;

comment on function admin.discard_arrival(uuid, integer) is
$$Deletes about batch rows of an organization that arrives, never of another one. Call it after the subscription is dropped, until it
returns 0: then nothing is left, and a new move can begin.

Returns the number of deleted rows; 0 also if the cell has nothing of the organization. Raises PT409 wrong_state.$$;

grant execute on function admin.discard_arrival(uuid, integer) to leads_operator;
