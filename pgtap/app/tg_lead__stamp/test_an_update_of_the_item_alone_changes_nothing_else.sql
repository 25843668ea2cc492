begin;
select plan(7);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada", "lead_score": 5}');
select act_as('dba');
alter table app.lead disable trigger user;
update app.lead set updated_at = now() - interval '1 hour', item = null;
alter table app.lead enable trigger user;
create table test.before as select l.* from app.lead as l;
create table test.rows_before as
select (select count(*) from audit.event) as events, (select count(*) from scoring.score) as scores, (select count(*) from crm.sync) as syncs;

update app.lead set item = null;
select is((select l.item::json ->> 'name' from app.lead as l), 'Ada', 'it is computed');
update app.lead set item = 'forged';
select is(l.revision, b.revision, 'the revision') from app.lead as l cross join test.before as b;
select is(l.updated_at, b.updated_at, 'updated_at') from app.lead as l cross join test.before as b;
select is(to_jsonb(l) - 'item', to_jsonb(b) - 'item', 'every other column') from app.lead as l cross join test.before as b;
select is((select count(*) from audit.event), b.events, 'the audit log') from test.rows_before as b;
select is((select count(*) from scoring.score), b.scores, 'the history of scores') from test.rows_before as b;
select is((select count(*) from crm.sync), b.syncs, 'the pushes') from test.rows_before as b;

select * from finish();
rollback;
