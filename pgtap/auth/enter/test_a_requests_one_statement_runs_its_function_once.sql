begin;
select plan(3);

create function test.request(call text)
returns text
language plpgsql
as $$
declare
  v_answer text;
begin
  execute format(
    'select (a.r).status || '' '' || (a.r).headers || (a.r).body '
    'from (select %s as r from auth.enter($1, $2, $3, $4) offset 0) as a',
    call
  )
  into v_answer using test.claim('alice'), 'a-request', 'write', false;
  return v_answer;
end
$$;

select act_as('stranger');
select matches(request($$api.create_lead('{"email": "ada@example.com"}')$$), '^201 ', 'a lead is created');
select act_as('dba');
select is((select count(*) from app.lead), 1::bigint, 'one lead');
select is(
  (select array_agg(e.correlation_id) from audit.event as e where e.lead_id is not null), array['a-request'],
  'the event has the request''s id'
);

select * from finish();
rollback;
