begin;
select plan(9);

create function test.emails(answer api.answer)
returns text[] language sql
as $$ select array(select l ->> 'email' from json_array_elements((answer).body::json -> 'data') as l) $$;

create function test.work()
returns void language plpgsql security definer
as $$
begin
  loop
    exit when (select count(*) from admin.seal_events()) = 0;
  end loop;
  loop
    exit when (select coalesce(sum(i.indexed), 0) from admin.index_leads() as i) = 0;
  end loop;
end $$;

select act_as('bob');
select made_lead('{"email": "foreign@example.com", "name": "Canary"}');
select act_as('alice');
select made_lead('{"email": "own@example.com", "name": "Canary Jones"}');
select made_lead('{"email": "other@example.com", "name": "Ada Jones"}');

select is(emails(api.list_leads(q => 'can jon')), '{own@example.com}', 'before the events are sealed');
select is(emails(api.list_leads(q => 'JONES')), '{other@example.com,own@example.com}', 'the newest first');
select is(emails(api.list_leads(q => 'anary')), '{}', 'the middle of a word');

reset session authorization;
select work();
select is((select count(*) from app.unindexed_lead), 0::bigint, 'all words are stored');
select act_as('alice');
select is(emails(api.list_leads(q => 'can')), '{own@example.com}', 'a word that both organizations have');
select is(emails(api.list_leads(q => 'jones', "limit" => 1)), '{other@example.com}', 'a page');
select is(
  emails(api.list_leads(q => 'jones', "limit" => 1, cursor => (api.list_leads(q => 'jones', "limit" => 1)).headers ->> 'Next-Cursor')),
  '{own@example.com}', 'the next page'
);
select is(emails(api.list_leads(q => 'foreign@')), '{}', 'an address of another organization');

select act_as('stranger');
select is((api.list_leads(q => 'canary')).body, '{"data":[],"next_cursor":null}', 'without a key');

select * from finish();
rollback;
