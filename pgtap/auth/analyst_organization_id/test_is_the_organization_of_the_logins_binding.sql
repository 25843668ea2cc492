begin;
select plan(3);

select make_analyst('ana');
select make_analyst('ben');
select act_as('ana');
select is(bound_organization(), organization('alice'), 'ana''s organization');
select act_as('ben');
select is(bound_organization(), organization('bob'), 'ben''s organization');

select act_as('dba');
create role somebody in role leads_bi;
set local session authorization somebody;
select is(bound_organization(), null, 'a login without a binding has no organization');

select * from finish();
rollback;
