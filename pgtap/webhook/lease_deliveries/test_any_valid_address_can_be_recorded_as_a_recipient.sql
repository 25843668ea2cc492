begin;
select plan(3);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('upper', 'values', '{lead.created}')::text, make_webhook('long', 'values', '{lead.created}')::text;
create temporary table address (name text, url text);
insert into address values
  ('upper', 'HTTPS://hooks.example.com:8443/hook?key=secret'),
  ('long', format('https://%s.com:65535/hook', rpad('', 249, repeat('a', 62) || '.')));
select is_empty('select * from address as a where webhook.url_fault(a.url) is not null', 'the addresses are valid');
update webhook.endpoint as p set url = a.url from address as a where p.name = a.name;
insert into app.lead (organization_id, email) values (acme(), 'ada@example.com');
select queue_deliveries();

select is((select count(*) from lease_deliveries()), 2::bigint, 'both deliveries are leased');
select results_eq(
  'select p.name, left(r.host, 22), char_length(r.host) from webhook.recipient as r join webhook.endpoint as p on p.id = r.endpoint_id order by p.name',
  $$values ('long', repeat('a', 22), 255), ('upper', 'hooks.example.com:8443', 22)$$,
  'with the hosts, of which 255 characters are kept'
);

select * from finish();
rollback;
