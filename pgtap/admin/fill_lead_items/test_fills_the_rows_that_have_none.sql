begin;
select plan(8);

insert into app.lead (organization_id, email)
select organization(a.actor), a.actor || n || '@example.com'
from (values ('alice'), ('bob')) as a (actor)
cross join generate_series(1, 500) as n;
alter table app.lead disable trigger user;
update app.lead set item = case when email like '%7@example.com' then 'as it was' end;
alter table app.lead enable trigger user;
create table test.batch (number integer, rows bigint);
grant insert, select on test.batch to public;

select act_as('migrator');
insert into test.batch values (1, admin.fill_lead_items(300));
insert into test.batch values (2, admin.fill_lead_items(300));
insert into test.batch values (3, admin.fill_lead_items(1000));
insert into test.batch values (4, admin.fill_lead_items(1000));
select act_as('dba');
select cmp_ok(b.rows, '>=', 300::bigint, 'batch ' || b.number) from test.batch as b where b.number < 3;
select cmp_ok(b.rows, '<', 450::bigint, 'ends with a page, batch ' || b.number) from test.batch as b where b.number < 3;
select is((select sum(b.rows) from test.batch as b where b.number < 4), 900::numeric, 'each row is filled once');
select is((select b.rows from test.batch as b where b.number = 4), 0::bigint, 'then none is left');
select is(
  (select count(*) from app.lead as l where l.item = row_to_json(app.lead_item(row(l.*)::app.lead_values))::text), 900::bigint,
  'with the computed text'
);

alter table app.lead disable trigger user;
update app.lead set item = null where email = 'alice1@example.com';
alter table app.lead enable trigger user;
select act_as('migrator');
select is(admin.fill_lead_items(1000), 1::bigint, 'the same session can begin again');

select * from finish();
rollback;
