begin;
select plan(5);

insert into app.lead (organization_id, email)
select organization(a.actor), format('q%s@example.com', s)
from generate_series(1, 20) as s
cross join (values ('alice'), ('bob')) as a (actor);

select cmp_ok(admin.queue_leads(1000), '>=', 40::bigint, 'leads of all organizations');
select is(admin.queue_leads(1000), 0::bigint, 'they are in the queue');
select cmp_ok((select i.indexed from admin.index_leads(null, 15) as i), '<=', 15, 'a batch');
do $$ begin while exists (select from admin.index_leads() as i where i.indexed > 0) loop end loop; end $$;
select is((select count(*) from app.unindexed_lead), 0::bigint, 'all are stored');
select is(admin.queue_leads(1000), 0::bigint, 'leads with words are not queued');

select * from finish();
rollback;
