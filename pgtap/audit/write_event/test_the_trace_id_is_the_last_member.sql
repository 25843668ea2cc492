begin;
select plan(7);

create function test.recorded(request_id text)
returns text
language plpgsql
as $$
declare
  v_event audit.event;
begin
  perform set_config('leads.request_id', recorded.request_id, true);
  insert into app.lead (organization_id, email) values (test.organization('alice'), 'a@example.com');
  select e.* into v_event from audit.event as e where e.lead_id is not null order by e.id desc limit 1;
  return concat_ws(
    ' ',
    coalesce(v_event.correlation_id, 'null'),
    (select string_agg(m.key, ',' order by m.number) from json_each(v_event.payload) with ordinality as m (key, value, number)),
    v_event.payload ->> 'trace_id'
  );
end
$$;
alter function test.recorded(text) security definer;

select act_as('alice');
select is(
  recorded('r-1 4bf92f3577b34da6a3ce929d0e0e4736'),
  'r-1 lead_id,diff,key_id,trace_id 4bf92f3577b34da6a3ce929d0e0e4736', 'a request with a trace id'
);
select is(recorded('r-1'), 'r-1 lead_id,diff,key_id', 'a request without');
select is(recorded('r-1 4BF92F3577B34DA6A3CE929D0E0E4736'), 'r-1 lead_id,diff,key_id', 'capital letters');
select is(recorded('r-1 4bf92f3577b34da6a3ce929d0e0e473'), 'r-1 lead_id,diff,key_id', 'too short');
select is(recorded('r-1 "a@example.com'), 'r-1 lead_id,diff,key_id', 'another text');
select is(recorded(''), 'null lead_id,diff,key_id', 'no id');
select act_as('stranger');
select is(
  recorded('r-1 4bf92f3577b34da6a3ce929d0e0e4736'), 'null lead_id,diff,key_id,role', 'without a key, the setting is not read'
);

select * from finish();
rollback;
