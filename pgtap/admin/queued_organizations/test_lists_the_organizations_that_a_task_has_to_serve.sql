begin;
select plan(9);

select queue_deliveries();
select count_stages();
do $$ begin while exists (select from admin.index_leads() as i where i.indexed > 0) loop end loop; end $$;
select is_empty('select admin.queued_organizations(''sealer'')', 'nothing is left to do');
-- alice has two leads, bob one.
select act_as('bob');
select made_lead('{"email": "eve@example.com"}')::text;
select act_as('alice');
select made_lead('{"email": "ada@example.com"}')::text, made_lead('{"email": "ann@example.com"}')::text;
select act_as('dba');
create table test.expected as select x.id from unnest(array[organization('alice'), organization('bob')]) as x (id) order by x.id;
prepare expected as select e.id from test.expected as e order by e.id;
select results_eq('select admin.queued_organizations(''sealer'')', 'expected', 'each organization once, in the order of the ids');
select results_eq(
  'select admin.queued_organizations(''sealer'', null, 1)', 'select e.id from test.expected as e order by e.id limit 1', 'a batch'
);
select results_eq(
  'select admin.queued_organizations(''sealer'', (select min(e.id::text)::uuid from test.expected as e))',
  'select e.id from test.expected as e order by e.id offset 1', 'and the next one'
);
select is_empty('select admin.queued_organizations(''counter'')', 'each task has a queue of its own');

select (admin.seal_events(o.id)).sealed::text from (select null::uuid as id union all select e.id from test.expected as e) as o;
select results_eq('select admin.queued_organizations(''indexer'')', 'expected', 'the leads without words');
select results_eq('select admin.queued_organizations(''counter'')', 'expected', 'the seals that are not counted');
select results_eq('select admin.queued_organizations(''queuer'')', 'expected', 'the batches that are not queued for webhooks');
-- The predecessor of an id, and the id itself: this organization or none.
select is(
  (select count(*) from admin.count_stages(until => '00000000-0000-0000-0000-000000000001')), 0::bigint, 'a function takes no organization after "until"'
);

select * from finish();
rollback;
