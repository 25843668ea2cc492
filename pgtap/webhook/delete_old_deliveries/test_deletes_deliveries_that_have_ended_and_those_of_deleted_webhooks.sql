begin;
select plan(6);

select admin.create_organization('Acme', 'live')::text;
select make_webhook(w, actions => '{lead.created,lead.updated}')::text from unnest('{a,b}'::text[]) as w;
insert into app.lead (organization_id, email) select acme(), n || '@example.com' from generate_series(1, 3) as n;
update app.lead set name = 'n' where email = '1@example.com';
select queue_deliveries();
select settle_deliveries('delivered')::text;

select is(webhook.delete_old_deliveries(100), 0, 'nothing is old');
select age_deliveries('30 days 10 minutes');
update webhook.delivery set ended_at = ended_at + interval '1 hour' where endpoint_id = webhook('a') and ended_at is not null;
select is(webhook.delete_old_deliveries(2), 2, 'a batch');
select is(webhook.delete_old_deliveries(100), 1, 'and the rest of what ended 30 days ago');
select is(
  (select array_agg(distinct d.state order by d.state) from webhook.delivery as d), '{delivered,pending}', 'what waits is kept'
);
delete from webhook.endpoint where name = 'b';
select is(webhook.delete_old_deliveries(100), 1, 'what waits for a webhook that was deleted');
select is((select count(*) from webhook.delivery as d where d.state = 'pending'), 1::bigint, 'the other one is kept');

select * from finish();
rollback;
