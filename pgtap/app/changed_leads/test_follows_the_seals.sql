begin;
select plan(15);

create function test.emails(name text)
returns text[] language sql
as $$
  select coalesce(array_agg(d.value ->> 'email' order by d.ordinality), '{}')
  from json_array_elements((test.kept(emails.name)).body::json -> 'data') with ordinality as d (value, ordinality)
$$;
create function test.cursor(name text)
returns text language sql
as $$ select (test.kept(cursor.name)).body::json ->> 'next_cursor' $$;
create function test.seal()
returns void language plpgsql
as $$
begin
  perform admin.seal_events(null, 1000);
  perform admin.seal_events(o.after, 1000) from (values (test.organization('alice')), (test.organization('bob'))) as o (after);
end $$;

select act_as('bob');
select made_lead('{"email": "bob@example.com"}');
select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select made_lead('{"email": "eve@example.com"}');
select keep('unsealed', api.list_leads("order" => 'updated_at'));
select is(emails('unsealed'), '{}', 'an event without a seal may still be overtaken');
select act_as('operator');
select seal();
select act_as('alice');
select keep('first', api.list_leads(cursor => cursor('unsealed')));
select is(emails('first'), '{ada@example.com,eve@example.com}', 'the leads, in the order of their changes');
select keep('end', api.list_leads(cursor => cursor('first')));
select is(emails('end'), '{}', 'nothing has changed since');
select is(cursor('end'), cursor('first'), 'the cursor stays');

select api.update_lead(lead('ada@example.com'), '{"timeline": "soon"}');
select api.update_lead(lead('ada@example.com'), '{"timeline": "now"}');
select api.create_signals(lead('eve@example.com'), '{"type": "storm_event"}');
select act_as('operator');
select seal();
select act_as('alice');
select keep('second', api.list_leads(cursor => cursor('end')));
select is(emails('second'), '{ada@example.com}', 'a lead that changed twice is there once, and one with a signal is not');
select is((api.list_leads(cursor => cursor('second'))).body::json ->> 'next_cursor', cursor('second'), 'the end');
select keep('small', api.list_leads("order" => 'updated_at', "limit" => 1));
select is(emails('small'), '{ada@example.com}', 'limit is the number of changes');

select act_as('bob');
select throws_ok($$select api.list_leads(cursor => cursor('first'))$$, 'PT400', 'cursor_expired', 'the cursor of another organization');
select act_as('alice');
select throws_ok(
  $$select api.list_leads("order" => 'updated_at', source => '{web}')$$, 'PT422', 'validation_failed', 'no other filter'
);
select throws_ok(
  $$select api.list_leads(updated_since => now(), "order" => 'created_at')$$, 'PT422', 'validation_failed', 'another order'
);
select keep('page', api.list_leads("limit" => 1));
select throws_ok(
  format($$select api.list_leads("order" => 'updated_at', cursor => %L)$$, cursor('page')), 'PT422', 'validation_failed',
  'a cursor of the other order'
);
select is(
  json_array_length((api.list_leads("order" => 'updated_at', updated_since => now() + interval '1 hour')).body::json -> 'data'),
  0, 'nothing has changed in the future'
);
select is(
  json_array_length((api.list_leads("order" => 'updated_at', updated_since => now() - interval '1 hour')).body::json -> 'data'),
  2, 'both since an hour ago'
);
select act_as('dba');
alter table audit.seal disable trigger all;
update audit.seal set hash = sha256('another database') where organization_id = organization('alice');
select act_as('alice');
select throws_ok($$select api.list_leads(cursor => cursor('second'))$$, 'PT400', 'cursor_expired', 'the seal of another database');
select act_as('stranger');
select is(api.is_change_cursor('eyJwb3NpdGlvbiI6MX0'), false, 'a part of a cursor is none');

select * from finish();
rollback;
