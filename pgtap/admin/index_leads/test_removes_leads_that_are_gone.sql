begin;
select plan(3);

insert into app.lead (organization_id, email) values (organization('alice'), 'gone@example.com'), (organization('alice'), 'kept@example.com');
insert into app.unindexed_lead (organization_id, lead_id)
select l.organization_id, l.id from app.lead as l where l.email in ('gone@example.com', 'kept@example.com')
union all
select organization('alice'), gen_random_uuid();
delete from app.lead where email = 'gone@example.com';

select is((select i.organization_id from admin.index_leads() as i), organization('alice'), 'the organization');
select is((select count(*) from app.unindexed_lead), 0::bigint, 'the queue is empty');
select set_eq('select word from app.lead_word', array['kept@example.com', 'kept', 'example', 'com'], 'words of the lead that exists');

select * from finish();
rollback;
